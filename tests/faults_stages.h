/* The stages of work that test_faults.c makes fail, and what they work on. */
#ifndef PLETHRON_TEST_FAULTS_STAGES_H
#define PLETHRON_TEST_FAULTS_STAGES_H

#include "support.h"

enum { SCENE_SAMPLES = 5, SCENE_UNITS = 3 }; /* a number of units that fills no vector */

/* What the stages work on. */
typedef struct scene {
    const char *selector;
    char folder[SUPPORT_PATH_BYTES]; /* the model file stands here, alone */
    char model[SUPPORT_PATH_BYTES];
    char checkpoint_folder[SUPPORT_PATH_BYTES], checkpoint_path[SUPPORT_PATH_BYTES]; /* one of `begin_training` */
    char cache[SUPPORT_PATH_BYTES];                                                  /* of kernels; may not exist */
    plethron_device *device;
    plethron_dataset *dataset;
    plethron_bank *bank;
    plethron_checkpoint *checkpoint;
    plethron_table *table;
    plethron_sparse_table *sparse;
    plethron_classes *classes;
    plethron_labels *labels;
    float P[SCENE_SAMPLES * SCENE_UNITS];
    int32_t units[SCENE_SAMPLES * SCENE_UNITS]; /* here like P: a kernel that cannot be waited for may still write */
} scene;

/* A scene with a model and a checkpoint in its folders, as a test's state. */
int scene_open(void **state);
int scene_close(void **state);
bool scene_has_opencl(const scene *s);
/* Closes what a scene holds. */
void scene_clear(scene *s);

typedef plethron_status (*step)(scene *s, plethron_error *err);

/* A stage is the last step; those before it prepare, without faults. */
enum { MAX_STEPS = 6 };
typedef struct stage {
    const char *name;
    step steps[MAX_STEPS];
} stage;

void stage_prepare(const stage *of, scene *s);
step stage_last_step(const stage *of);

/* First those with a device, then the others; with all that a data set and a bank may have; with sparse features. */
enum { FIRST_WITH_KERNELS = 1, FIRST_WITHOUT_DEVICE = 6, N_STAGES = 28, N_FULL_STAGES = 5, N_SPARSE_STAGES = 7 };
extern const stage stages[N_STAGES], full_stages[N_FULL_STAGES], sparse_stages[N_SPARSE_STAGES];
/* Goes on from a checkpoint; launches so much that it is handed to the device in between. */
extern const stage resume_stage, flush_stage;

#endif
