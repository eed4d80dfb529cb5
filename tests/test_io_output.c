/* Outputs: a file appears whole or not at all. */
#define _GNU_SOURCE /* unshare */

#include "io_files.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static plethron_output *open_output(const char *path) {
    plethron_error err;
    plethron_output *output = NULL;
    assert_works(plethron_output_open(path, &output, &err), &err);
    return output;
}

static void write_text(plethron_output *output, const char *text) {
    FILE *stream = plethron_output_stream(output);
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
}

static void commit(plethron_output *output) {
    plethron_error err;
    assert_works(plethron_output_commit(output, &err), &err);
    plethron_output_close(output);
}

/* A whole output of this text. */
static void put(const char *path, const char *text) {
    plethron_output *output = open_output(path);
    write_text(output, text);
    commit(output);
}

static void expect_content(const char *path, const char *text) {
    size_t n_bytes;
    char *content = support_read(path, &n_bytes);
    assert_int_equal(n_bytes, strlen(text));
    assert_string_equal(content, text);
    free(content);
}

static void refuse(const char *path, const char *reason) {
    plethron_error err;
    plethron_output *output = NULL;
    assert_fails(PLETHRON_ERROR_FILE, plethron_output_open(path, &output, &err), &err, path, reason);
    assert_null(output);
}

static mode_t mode_of(const char *path) {
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    return about.st_mode & 07777;
}

/* ---- Commit and close -------------------------------------------------------------------------------------------- */

static void appears_at_the_commit(void **state) {
    const io_file *file = *state;
    plethron_output *output = open_output(file->path);
    write_text(output, "new");
    assert_int_equal(fflush(plethron_output_stream(output)), 0);
    assert_int_equal(access(file->path, F_OK), -1);
    commit(output);
    expect_content(file->path, "new");
    assert_int_equal(support_folder_count(file->folder), 1);
}

static void keeps_the_old_content_until_the_commit(void **state) {
    const io_file *file = *state;
    put(file->path, "old and longer");
    plethron_output *output = open_output(file->path);
    write_text(output, "new");
    assert_int_equal(fflush(plethron_output_stream(output)), 0);
    expect_content(file->path, "old and longer");
    commit(output);
    expect_content(file->path, "new");
    assert_int_equal(support_folder_count(file->folder), 1);
}

static void leaves_nothing_without_a_commit(void **state) {
    const io_file *file = *state;
    plethron_output *output = open_output(file->path);
    write_text(output, "new");
    plethron_output_close(output);
    assert_int_equal(support_folder_count(file->folder), 0);
    put(file->path, "old");
    output = open_output(file->path);
    write_text(output, "new");
    plethron_output_close(output);
    expect_content(file->path, "old");
    assert_int_equal(support_folder_count(file->folder), 1);
    plethron_output_close(NULL);
}

/* Who commits last wins; neither sees the other's part. */
static void keeps_two_outputs_apart(void **state) {
    const io_file *file = *state;
    plethron_output *first = open_output(file->path), *second = open_output(file->path);
    write_text(first, "first");
    write_text(second, "second");
    commit(second);
    expect_content(file->path, "second");
    commit(first);
    expect_content(file->path, "first");
    assert_int_equal(support_folder_count(file->folder), 1);
}

static void commits_once(void **state) {
    const io_file *file = *state;
    plethron_error err;
    plethron_output *output = open_output(file->path);
    write_text(output, "new");
    assert_works(plethron_output_commit(output, &err), &err);
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_output_commit(output, &err), &err, file->path, "commit");
    plethron_output_close(output);
    expect_content(file->path, "new");
}

static void writes_many_bytes(void **state) {
    enum { N_LINES = 100000 };
    const io_file *file = *state;
    plethron_output *output = open_output(file->path);
    for (int i = 0; i < N_LINES; i++) fprintf(plethron_output_stream(output), "%07d\n", i);
    commit(output);
    size_t n_bytes;
    char *content = support_read(file->path, &n_bytes);
    assert_int_equal(n_bytes, 8 * N_LINES);
    for (int i = 0; i < N_LINES; i++) assert_int_equal(strtol(content + 8 * i, NULL, 10), i);
    free(content);
}

/* ---- Names and modes --------------------------------------------------------------------------------------------- */

static void keeps_the_mode(void **state) {
    const io_file *file = *state;
    put(file->path, "old");
    const mode_t modes[] = {0600, 0640, 0666, 0755};
    for (size_t m = 0; m < COUNT(modes); m++) {
        assert_int_equal(chmod(file->path, modes[m]), 0);
        put(file->path, "new");
        assert_int_equal(mode_of(file->path), modes[m]);
    }
}

static void gives_a_new_file_the_mode_of_the_umask(void **state) {
    const io_file *file = *state;
    const mode_t before = umask(027);
    put(file->path, "new");
    umask(before);
    assert_int_equal(mode_of(file->path), 0640);
}

static void link_to(const char *target, const char *link) {
    assert_int_equal(symlink(target, link), 0);
}

static void expect_link(const char *path) {
    struct stat about;
    assert_int_equal(lstat(path, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
}

static void follows_links(void **state) {
    const io_file *file = *state;
    char link[SUPPORT_PATH_BYTES], second[SUPPORT_PATH_BYTES];
    support_path(link, file->folder, "link");
    support_path(second, file->folder, "second");
    put(file->path, "old");
    link_to("out.txt", link); /* relative to the link's own folder */
    link_to(link, second);
    put(second, "new");
    expect_content(file->path, "new");
    expect_link(link);
    expect_link(second);
    assert_int_equal(support_folder_count(file->folder), 3);
}

static void follows_a_link_into_another_folder(void **state) {
    const io_file *file = *state;
    char folder[SUPPORT_PATH_BYTES], inner[SUPPORT_PATH_BYTES];
    support_path(folder, file->folder, "folder");
    support_path(inner, folder, "inner.txt");
    assert_int_equal(mkdir(folder, 0700), 0);
    link_to("folder/inner.txt", file->path);
    put(file->path, "made"); /* of a link that led nowhere */
    expect_content(inner, "made");
    put(file->path, "replaced");
    expect_content(inner, "replaced");
    expect_link(file->path);
    assert_int_equal(support_folder_count(folder), 1);
}

static void refuses_links_that_lead_nowhere(void **state) {
    const io_file *file = *state;
    char ring[SUPPORT_PATH_BYTES];
    support_path(ring, file->folder, "ring");
    link_to("ring", ring);
    refuse(ring, "Too many levels of symbolic links");
    link_to("missing/out.txt", file->path);
    plethron_error err;
    plethron_output *output = NULL;
    assert_fails(PLETHRON_ERROR_FILE, plethron_output_open(file->path, &output, &err), &err,
                 "missing/out.txt: ", "No such file or directory");
    assert_null(output);
    assert_int_equal(support_folder_count(file->folder), 2);
}

/* A name without a folder means the working folder at the time of opening. */
static void takes_relative_names(void **state) {
    const io_file *file = *state;
    const int before = open(".", O_RDONLY | O_DIRECTORY);
    assert_true(before >= 0);
    assert_int_equal(chdir(file->folder), 0);
    plethron_output *output = open_output("out.txt");
    write_text(output, "new");
    assert_int_equal(fchdir(before), 0);
    close(before);
    commit(output);
    expect_content(file->path, "new");
}

static void takes_the_longest_names(void **state) {
    const io_file *file = *state;
    enum { LONGEST = 255 }; /* bytes of a file's name under Linux */
    char name[LONGEST + 1], path[SUPPORT_PATH_BYTES];
    memset(name, 'n', LONGEST);
    name[LONGEST] = '\0';
    support_path(path, file->folder, name);
    put(path, "new");
    expect_content(path, "new");
    assert_int_equal(support_folder_count(file->folder), 1);
}

/* ---- What cannot be written -------------------------------------------------------------------------------------- */

static void refuses_what_is_no_file(void **state) {
    const io_file *file = *state;
    char path[SUPPORT_PATH_BYTES];
    refuse(file->folder, "Is a directory");
    support_path(path, file->folder, "new/");
    refuse(path, "Is a directory");
    support_path(path, file->folder, "missing/out.txt");
    refuse(path, "No such file or directory");
    put(file->path, "old");
    support_path(path, file->path, "inside");
    refuse(path, "Not a directory");
    expect_content(file->path, "old");
    assert_int_equal(support_folder_count(file->folder), 1);
    plethron_error err;
    plethron_output *output = NULL;
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_output_open("", &output, &err), &err, "empty");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_output_open(NULL, &output, &err), &err, "path");
    assert_int_equal(plethron_output_open(file->folder, &output, NULL), PLETHRON_ERROR_FILE);
    assert_null(output);
}

/* A file that may not be written is not replaced either, though the folder would allow it. */
static void refuses_without_permission(void **state) {
    const io_file *file = *state;
    char folder[SUPPORT_PATH_BYTES], inner[SUPPORT_PATH_BYTES];
    plethron_error file_err, folder_err;
    plethron_output *output = NULL;
    put(file->path, "old");
    assert_int_equal(chmod(file->path, 0444), 0);
    assert_int_equal(chmod(file->folder, 0777), 0);
    support_path(folder, file->folder, "folder");
    support_path(inner, folder, "out.txt");
    assert_int_equal(mkdir(folder, 0555), 0);
    if (!io_drop_rights()) skip();
    const plethron_status of_file = plethron_output_open(file->path, &output, &file_err);
    const plethron_status of_folder = plethron_output_open(inner, &output, &folder_err);
    io_regain_rights();
    assert_fails(PLETHRON_ERROR_FILE, of_file, &file_err, "out.txt: cannot be written: Permission denied");
    assert_fails(PLETHRON_ERROR_FILE, of_folder, &folder_err, "folder/out.txt: cannot be written: Permission denied");
    assert_null(output);
    expect_content(file->path, "old");
    assert_int_equal(support_folder_count(file->folder), 2);
}

static void reports_a_full_disk(void **state) {
    (void)state;
    if (access("/dev/full", W_OK) != 0) skip(); /* Linux has it */
    plethron_error err;
    plethron_output *output = open_output("/dev/full");
    write_text(output, "lost");
    assert_fails(PLETHRON_ERROR_FILE, plethron_output_commit(output, &err), &err, "/dev/full: ", "No space left");
    plethron_output_close(output);
    output = open_output("/dev/full");
    for (int i = 0; i < 100000; i++) (void)fputs("more than a buffer\n", plethron_output_stream(output));
    assert_fails(PLETHRON_ERROR_FILE, plethron_output_commit(output, &err), &err, "/dev/full: ", "No space left");
    plethron_output_close(output);
}

/* A write that fails halfway harms no existing file and leaves nothing behind. */
static void keeps_the_old_content_of_a_full_disk(void **state) {
    const io_file *file = *state;
    struct rlimit before;
    put(file->path, "old");
    plethron_output *output = open_output(file->path);
    for (int i = 0; i < 10000; i++) write_text(output, "0123456789");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {1000, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    plethron_error err = {.text = ""};
    const plethron_status status = plethron_output_commit(output, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_fails(PLETHRON_ERROR_FILE, status, &err, file->path, "File too large");
    plethron_output_close(output);
    expect_content(file->path, "old");
    assert_int_equal(support_folder_count(file->folder), 1);
}

/* In a child that sees a disk of 64 KiB in the folder: what does not fit is refused with the room that there is, the
 * old content stays, and afterwards what fits is written. */
static void fill_disk(const io_file *file) {
    enum { N_BYTES = 100000 };
    plethron_error err = {.text = ""};
    plethron_output *output = NULL;
    char *text = calloc(1, N_BYTES);
    if (!text || unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", file->folder, "tmpfs", 0, "size=64k") != 0)
        _exit(CHILD_SKIPPED);
    support_write(file->path, "old", 3);
    child_needs(plethron_output_open(file->path, &output, &err) == PLETHRON_OK);
    (void)fwrite(text, 1, N_BYTES, plethron_output_stream(output));
    child_needs(plethron_output_commit(output, &err) == PLETHRON_ERROR_FILE);
    plethron_output_close(output);
    unsigned long long n_needed = 0, n_room = 0;
    const char *numbers = strstr(err.text, "No space left on device: ");
    child_needs(numbers && sscanf(numbers,
                                  "No space left on device: %llu bytes or more are needed, and there is room "
                                  "for %llu",
                                  &n_needed, &n_room) == 2);
    child_needs(n_needed > n_room && n_needed <= N_BYTES && n_room > 0 && n_room <= 1 << 16);
    size_t n;
    char *content = support_read(file->path, &n);
    child_needs(n == 3 && memcmp(content, "old", 3) == 0);
    free(content);
    free(text);
    child_needs(support_folder_count(file->folder) == 1);
    child_needs(plethron_output_open(file->path, &output, &err) == PLETHRON_OK);
    child_needs(fputs("new", plethron_output_stream(output)) >= 0);
    child_needs(plethron_output_commit(output, &err) == PLETHRON_OK);
    plethron_output_close(output);
    _exit(CHILD_WORKED);
}

static void reports_the_room_on_a_full_disk(void **state) {
    const io_file *file = *state;
    int how;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) fill_disk(file);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    if (WEXITSTATUS(how) == CHILD_SKIPPED) skip(); /* the system lets nobody mount here */
    assert_int_equal(WEXITSTATUS(how), CHILD_WORKED);
}

/* ---- What is no plain file --------------------------------------------------------------------------------------- */

static void writes_a_device_directly(void **state) {
    (void)state;
    put("/dev/null", "gone");
    struct stat about;
    assert_int_equal(stat("/dev/null", &about), 0);
    assert_true(S_ISCHR(about.st_mode));
}

static void writes_a_pipe_directly(void **state) {
    const io_file *file = *state;
    char got[16] = "";
    assert_int_equal(mkfifo(file->path, 0600), 0);
    const int reader = open(file->path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    put(file->path, "through");
    assert_int_equal(read(reader, got, sizeof got), strlen("through"));
    assert_string_equal(got, "through");
    close(reader);
    struct stat about;
    assert_int_equal(stat(file->path, &about), 0);
    assert_true(S_ISFIFO(about.st_mode));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(function) IO_TEST(function, "out.txt")
        TEST(appears_at_the_commit),
        TEST(keeps_the_old_content_until_the_commit),
        TEST(leaves_nothing_without_a_commit),
        TEST(keeps_two_outputs_apart),
        TEST(commits_once),
        TEST(writes_many_bytes),
        TEST(keeps_the_mode),
        TEST(gives_a_new_file_the_mode_of_the_umask),
        TEST(follows_links),
        TEST(follows_a_link_into_another_folder),
        TEST(refuses_links_that_lead_nowhere),
        TEST(takes_relative_names),
        TEST(takes_the_longest_names),
        TEST(refuses_what_is_no_file),
        TEST(refuses_without_permission),
        TEST(reports_a_full_disk),
        TEST(keeps_the_old_content_of_a_full_disk),
        TEST(reports_the_room_on_a_full_disk),
        TEST(writes_a_device_directly),
        TEST(writes_a_pipe_directly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
