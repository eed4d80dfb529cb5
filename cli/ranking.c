#define _POSIX_C_SOURCE 200809L

#include "ranking.h"

#include "labels.h"
#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void ranking_release(ranking *self) {
    free(self->entries);
    *self = (ranking){0};
}

/* ---- Accuracy on one fold ---------------------------------------------------------------------------------------- */

/* The rows of one fold, and the units that did not learn from them. */
typedef struct fold_judge {
    const training_data *data;
    size_t n_combinations;
    size_t fold;
    size_t *rows;
    size_t n_rows;
    feature_copy features; /* of these rows */
    plethron_bank *units;  /* for each target and class each combination */
    double *hits;          /* [n_targets, n_combinations] */
    double *n_known;       /* [n_targets]: rows whose target is not missing */
} fold_judge;

static void judge_release(fold_judge *judge) {
    plethron_bank_close(judge->units);
    free(judge->n_known);
    free(judge->hits);
    feature_copy_release(&judge->features);
    free(judge->rows);
}

static plethron_status take_rows(fold_judge *judge, plethron_error *err) {
    plethron_status status;
    const training_data *data = judge->data;
    const feature_rows all = training_data_rows(data);
    TRY(allocate(data->n_samples, sizeof *judge->rows, &judge->rows, err));
    for (size_t i = 0; i < data->n_samples; i++)
        if (data->folds[i] == judge->fold) judge->rows[judge->n_rows++] = i;
    TRY(feature_copy_make(&all, data->n_features, judge->rows, judge->n_rows, &judge->features, err));
out:
    return status;
}

static plethron_status take_units(fold_judge *judge, const unit_grid *grid, const plethron_bank *bank,
                                  plethron_error *err) {
    plethron_status status;
    size_t *chosen = NULL, n = 0;
    TRY(allocate(grid->count, sizeof *chosen, &chosen, err));
    for (size_t j = 0; j < grid->count; j++)
        if ((size_t)grid->repeats[j] == judge->fold) chosen[n++] = j;
    TRY(plethron_bank_select(bank, chosen, n, &judge->units, err));
out:
    free(chosen);
    return status;
}

/* The class code that a combination's units tell: p[l * n_combinations] is that of the target's l-th class. NaN when
 * one of them tells nothing. */
static float told_class(const target_column *target, const float *p, size_t n_combinations) {
    for (size_t l = 0; l < target->n_learned; l++)
        if (isnan(p[l * n_combinations])) return NAN;
    if (target->n_learned == 1) {
        const bool is_it = p[0] >= 0.5f;
        if (!target->classes) return is_it;
        return (float)(is_it ? target->learned[0] : 1 - target->learned[0]);
    }
    size_t best = 0;
    for (size_t l = 1; l < target->n_learned; l++)
        if (p[l * n_combinations] > p[best * n_combinations]) best = l;
    return (float)target->learned[best];
}

/* What a unit's answer is compared with: of probabilities the side of one half; of several classes of which only one is
 * learnt, whether it is that one. */
static bool is_hit(const target_column *target, float told, float wanted) {
    if (isnan(told)) return false;
    if (!target->classes) return told == (float)(wanted >= 0.5f);
    if (target->n_learned == 1 && plethron_classes_count(target->classes) > 2)
        return (told == (float)target->learned[0]) == (wanted == (float)target->learned[0]);
    return told == wanted;
}

static plethron_status judge_block(void *context, const predictions *block, size_t first_row, size_t n_rows,
                                   plethron_error *err) {
    (void)err;
    fold_judge *judge = context;
    const target_list *targets = &judge->data->targets;
    const size_t n_units = plethron_bank_n_units(judge->units), n = judge->n_combinations;
    for (size_t i = 0; i < n_rows; i++) {
        const float *p = block->p + i * n_units;
        const float *wanted = targets->Y + judge->rows[first_row + i] * targets->count;
        for (size_t t = 0; t < targets->count; t++) {
            judge->n_known[t] += isnan(wanted[t]) ? 0 : 1;
            for (size_t c = 0; !isnan(wanted[t]) && c < n; c++)
                judge->hits[t * n + c] +=
                    is_hit(&targets->targets[t], told_class(&targets->targets[t], p + c, n), wanted[t]);
            p += targets->targets[t].n_learned * n;
        }
    }
    return PLETHRON_OK;
}

/* accuracy[c] of the combinations on one fold: the mean over the targets that some row of the fold has; NaN when none
 * has. */
static plethron_status judge_fold(const training_data *data, size_t n_combinations, const unit_grid *grid,
                                  const plethron_bank *bank, size_t fold, double *accuracy, plethron_error *err) {
    plethron_status status;
    fold_judge judge = {.data = data, .n_combinations = n_combinations, .fold = fold};
    const size_t n_targets = data->targets.count;
    size_t n_judged = 0;
    TRY(take_rows(&judge, err));
    TRY(take_units(&judge, grid, bank, err));
    TRY(allocate(n_targets * n_combinations, sizeof *judge.hits, &judge.hits, err));
    TRY(allocate(n_targets, sizeof *judge.n_known, &judge.n_known, err));
    TRY(predict_blocks(data->device, judge.units, &judge.features.rows, NULL, judge_block, &judge, err));
    for (size_t t = 0; t < n_targets; t++) n_judged += judge.n_known[t] > 0.0;
    for (size_t c = 0; c < n_combinations; c++) {
        accuracy[c] = 0.0;
        for (size_t t = 0; t < n_targets; t++)
            if (judge.n_known[t] > 0.0) accuracy[c] += judge.hits[t * n_combinations + c] / judge.n_known[t];
        accuracy[c] /= (double)n_judged;
    }
out:
    judge_release(&judge);
    return status;
}

/* ---- The ranking ------------------------------------------------------------------------------------------------- */

/* Epochs until the lowest held-out loss where that was watched, else all that were run. */
static double epochs_to_best(const plethron_unit *unit) {
    return (double)(unit->best_epoch > 0 ? unit->best_epoch : unit->epochs_done);
}

/* The means over a combination's units that have the measure; one that diverged makes the loss NaN. */
static void average_units(const unit_grid *grid, const plethron_bank *bank, size_t n_combinations, size_t n_folds,
                          ranked *entry) {
    double loss = 0.0, auc = 0.0, epochs = 0.0;
    size_t n = 0, n_loss = 0, n_auc = 0;
    for (size_t j = 0; j < grid->count; j++) {
        if (j / n_folds % n_combinations != entry->combination) continue;
        const plethron_unit unit = unit_get(bank, j);
        const bool has_held_out = unit.state == PLETHRON_UNIT_DIVERGED || !isnan(unit.held_out_loss);
        if (has_held_out) loss += (double)unit.held_out_loss;
        n_loss += has_held_out;
        epochs += epochs_to_best(&unit);
        n++;
        if (isnan(unit.held_out_auc)) continue;
        auc += (double)unit.held_out_auc;
        n_auc++;
    }
    entry->loss = loss / (double)n_loss;
    entry->auc = auc / (double)n_auc;
    entry->epochs = epochs / (double)n;
}

/* Better accuracy first, then lower loss, then the earlier combination; what is not a number last. */
static int compare(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (isnan(x->accuracy) != isnan(y->accuracy)) return isnan(x->accuracy) ? 1 : -1;
    if (x->accuracy != y->accuracy && !isnan(x->accuracy)) return x->accuracy > y->accuracy ? -1 : 1;
    if (isnan(x->loss) != isnan(y->loss)) return isnan(x->loss) ? 1 : -1;
    if (x->loss != y->loss && !isnan(x->loss)) return x->loss < y->loss ? -1 : 1;
    return x->combination < y->combination ? -1 : 1;
}

/* Over the folds that have a target. */
static void average_folds(const double *accuracy, size_t n_combinations, size_t n_folds, ranked *entry) {
    double sum = 0.0, squares = 0.0, n = 0.0;
    for (size_t f = 0; f < n_folds; f++) {
        const double on_fold = accuracy[f * n_combinations + entry->combination];
        if (isnan(on_fold)) continue;
        sum += on_fold;
        n++;
    }
    entry->accuracy = sum / n;
    for (size_t f = 0; f < n_folds; f++) {
        const double distance = accuracy[f * n_combinations + entry->combination] - entry->accuracy;
        if (!isnan(distance)) squares += distance * distance;
    }
    entry->deviation = sqrt(squares / n);
}

plethron_status ranking_make(const training_data *data, const combination_list *combinations, const unit_grid *grid,
                             const plethron_bank *bank, ranking *out, plethron_error *err) {
    plethron_status status;
    double *accuracy = NULL; /* [n_folds, n_combinations] */
    const size_t n = combinations->count;
    ranking made = {.count = n, .n_folds = data->n_folds};
    TRY(allocate(n, sizeof *made.entries, &made.entries, err));
    TRY(allocate(made.n_folds * n, sizeof *accuracy, &accuracy, err));
    for (size_t f = 0; f < made.n_folds; f++) TRY(judge_fold(data, n, grid, bank, f, accuracy + f * n, err));
    for (size_t c = 0; c < n; c++) {
        made.entries[c].combination = c;
        average_folds(accuracy, n, made.n_folds, &made.entries[c]);
        average_units(grid, bank, n, made.n_folds, &made.entries[c]);
    }
    qsort(made.entries, n, sizeof *made.entries, compare);
    *out = made;
    made = (ranking){0};
out:
    free(accuracy);
    ranking_release(&made);
    return status;
}

void ranking_print(const ranking *self, const combination_list *combinations, size_t top, bool with_auc) {
    char rate[NUMBER_TEXT], l2[NUMBER_TEXT], l1[NUMBER_TEXT];
    printf("\n%5s  %-8s  %-9s  %8s  %8s  %8s  %8s  %9s  %13s%s  %8s\n", "rank", "loss", "optimizer", "lr", "l2", "l1",
           "accuracy", "deviation", "held-out loss", with_auc ? "       auc" : "", "epochs");
    for (size_t i = 0; i < self->count && i < top; i++) {
        const ranked *entry = &self->entries[i];
        const combination *c = &combinations->values[entry->combination];
        printf("%5zu  %-8s  %-9s  %8s  %8s  %8s  %8.4f  %9.4f  %13.6g", i + 1, loss_names[c->loss],
               optimizer_names[c->optimizer], number_text(c->learning_rate, rate), number_text(c->l2, l2),
               number_text(c->l1, l1), entry->accuracy, entry->deviation, entry->loss);
        if (with_auc) printf("  %8.4f", entry->auc);
        printf("  %8.0f\n", entry->epochs);
    }
    if (self->count > top) printf("  ... and %zu more\n", self->count - top);
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static void write_number(FILE *stream, float value) {
    char text[NUMBER_TEXT];
    fprintf(stream, ",%s", isnan(value) ? "" : number_text(value, text));
}

static void write_unit(FILE *stream, const unit_grid *grid, const plethron_bank *bank, size_t j) {
    const plethron_unit unit = unit_get(bank, j);
    const float numbers[] = {unit.final_loss,    unit.accuracy,          unit.auc,
                             unit.held_out_loss, unit.held_out_accuracy, unit.held_out_auc};
    fprintf(stream, "%zu,", j);
    unit_write_names(stream, bank, &unit);
    fprintf(stream, ",%s,%s", loss_names[unit.loss], optimizer_names[unit.optimizer]);
    write_number(stream, unit.learning_rate);
    write_number(stream, unit.l2);
    write_number(stream, unit.l1);
    fprintf(stream, ",%" PRId64 ",%" PRId64 ",%s", grid->repeats[j], unit.epochs_done, state_names[unit.state]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) write_number(stream, numbers[i]);
    putc('\n', stream);
}

plethron_status ranking_write_units(const unit_grid *grid, const plethron_bank *bank, const char *path,
                                    plethron_error *err) {
    plethron_status status;
    plethron_output *output = NULL;
    TRY(plethron_output_open(path, &output, err));
    FILE *stream = plethron_output_stream(output);
    fputs("unit,target,class,loss,optimizer,lr,l2,l1,fold,epochs,state,training_loss,training_accuracy,training_auc,"
          "held_out_loss,held_out_accuracy,held_out_auc\n",
          stream);
    for (size_t j = 0; j < grid->count; j++) write_unit(stream, grid, bank, j);
    TRY(plethron_output_commit(output, err));
out:
    plethron_output_close(output);
    return status;
}
