/* A unit's record: what is constant of each unit while it trains. The fields are the rows of U_g [UNIT_FIELDS,
 * u_stride], so that lanes of units read neighbouring values. All are 4 bytes: a float, or an int where marked.
 *
 * USES is the set of what occurs in the bank, a bit each: a compile-time constant in OpenCL kernels, so that what no
 * unit needs costs nothing; an argument of the kernels where they run as C. No unit's result depends on it.
 */
#define UNIT_LEARNING_RATE 0
#define UNIT_L2 1
#define UNIT_L1 2
#define UNIT_SCALE 3           /* of a gradient sum: 1 / (sum of row weights), or 1 */
#define UNIT_POSITIVE_CLASS 4  /* class code, or -1: the target itself */
#define UNIT_WEIGHT_NEGATIVE 5 /* class weights: of rows with y = 0 */
#define UNIT_WEIGHT_POSITIVE 6 /* ... and y = 1 */
#define UNIT_MOMENTUM 7        /* of momentum and nesterov; adam's beta 1 */
#define UNIT_BETA2 8           /* adam */
#define UNIT_EPSILON 9         /* adam */
#define UNIT_DECAY 10          /* exponent of the schedule `inverse` */
#define UNIT_TOLERANCE 11      /* of the gradient's infinity norm; 0: none */
#define UNIT_LOSS 12           /* int */
#define UNIT_TARGET 13         /* int, row of Y_g */
#define UNIT_WEIGHT_COLUMN 14  /* int, row of S_g, or -1: all rows weigh 1 */
#define UNIT_EXCLUDED_FOLD 15  /* int, or -1 */
#define UNIT_BOOTSTRAP 16      /* int: 1 when rows are drawn with replacement */
#define UNIT_OPTIMIZER 17      /* int */
#define UNIT_SCHEDULE 18       /* int */
#define UNIT_EPOCHS 19         /* int: epochs to run from this run's start */
#define UNIT_EPOCHS_BEFORE 20  /* int: epochs run before it */
#define UNIT_PATIENCE 21       /* int: epochs without a better held-out loss; 0: none */
#define UNIT_SEED 22           /* int, low half, then high half */
#define UNIT_ID 24             /* int, low half, then high half */
#define UNIT_FIRST_TILE 26     /* int: where the unit's rows begin */
#define UNIT_ROWS 27           /* int: how many rows it has */
#define UNIT_RANGE 28          /* int: which entity's they are, or 0 */
#define UNIT_FIELDS 29

/* What changes: rows of A_g [STATE_FIELDS, u_stride]. */
#define STATE_ACTIVE 0     /* int: 1 while the unit moves */
#define STATE_REASON 1     /* int: why it stopped */
#define STATE_EPOCHS 2     /* int: epochs run when it stopped, counted from this run's start */
#define STATE_BEST_EPOCH 3 /* int: epochs run when the held-out loss was lowest; 0: never measured */
#define STATE_BEST_LOSS 4  /* the lowest held-out loss */
#define STATE_IMPROVED 5   /* int: 1 when the last check found a lower one */
#define STATE_NORM 6       /* the gradient's infinity norm at the last check */
#define STATE_FIELDS 7

/* Sums over the rows of each unit: of weigh and measure (measure.cl) and of auc_sum (auc.cl). */
#define WEIGH_NEGATIVE 0 /* sum of weight * (1 - y) */
#define WEIGH_POSITIVE 1 /* sum of weight * y */
#define WEIGH_HELD_NEGATIVE 2
#define WEIGH_HELD_POSITIVE 3
#define WEIGH_SUMS 4

#define MEASURE_LOSS 0      /* sum of weight * class weight * loss */
#define MEASURE_ERROR 1     /* sum of weight * (p - y) */
#define MEASURE_CORRECT 2   /* sum of weight where p is on y's side of 0.5 */
#define MEASURE_HELD_LOSS 3 /* the same over the held-out rows, without class weights */
#define MEASURE_HELD_ERROR 4
#define MEASURE_HELD_CORRECT 5
#define MEASURE_SUMS 6

#define AUC_AREA 0     /* weight of the pairs in the right order: two floats */
#define AUC_NEGATIVE 2 /* weight of the rows with y < 0.5 */
#define AUC_POSITIVE 3
#define AUC_SUMS 4

/* Values of STATE_REASON. */
#define REASON_NONE 0
#define REASON_CONVERGED 1
#define REASON_EARLY_STOPPED 2
#define REASON_DIVERGED 3

/* The values of plethron_loss, plethron_optimizer and plethron_schedule. */
#define LOSS_LOG 0
#define LOSS_MSE 1
#define LOSS_TUTORIAL 2
#define OPTIMIZER_GD 0
#define OPTIMIZER_MOMENTUM 1
#define OPTIMIZER_NESTEROV 2
#define OPTIMIZER_ADAM 3
#define SCHEDULE_CONSTANT 0
#define SCHEDULE_INVERSE 1
#define SCHEDULE_COSINE 2

/* Bits of USES. */
#define USE_MSE (1 << 0)
#define USE_TUTORIAL (1 << 1)
#define USE_MANY_TARGETS (1 << 2) /* not all units learn the same row of Y_g */
#define USE_MISSING (1 << 3)      /* a target holds NaN: the row is not used by its units */
#define USE_ROW_WEIGHTS (1 << 4)
#define USE_FOLDS (1 << 5)
#define USE_BOOTSTRAP (1 << 6)
#define USE_CLASS_WEIGHTS (1 << 7)
#define USE_SHUFFLE (1 << 8) /* X_g holds the rows in another order: row_g */
#define USE_L1 (1 << 9)
#define USE_MOMENTUM (1 << 10) /* momentum or nesterov */
#define USE_ADAM (1 << 11)
#define USE_SCHEDULES (1 << 12)
#define USE_PATIENCE (1 << 13)

#ifdef USES
#define USES_OR(argument) (USES)
#else
#define USES_OR(argument) (argument)
#endif

/* ONE_UNIT 0: a vector's lanes are the units unit ... unit + UNIT_VECTOR - 1. ONE_UNIT 1: they are samples or features
 * of one unit (lanes.cl), and each has that unit's value. */
#ifndef ONE_UNIT
#define ONE_UNIT 0
#endif

/* A field of the lanes' units, or of their state. */
#if ONE_UNIT
#define UNIT_VALUES(field, unit) ((vfloat)(U_g[(size_t)(field)*u_stride + (unit)]))
#define UNIT_INTEGERS(field, unit) ((vint)(((__global const int *)U_g)[(size_t)(field)*u_stride + (unit)]))
#define STATE_VALUES(field, unit) ((vfloat)(A_g[(size_t)(field)*u_stride + (unit)]))
#define STATE_INTEGERS(field, unit) ((vint)(((__global const int *)A_g)[(size_t)(field)*u_stride + (unit)]))
#define STORE_STATE(field, unit, value) (A_g[(size_t)(field)*u_stride + (unit)] = FIRST_LANE(value))
#define STORE_STATE_INTEGERS(field, unit, value) \
    (((__global int *)A_g)[(size_t)(field)*u_stride + (unit)] = FIRST_LANE(value))
#else
#define UNIT_VALUES(field, unit) LOAD(__global, U_g + (size_t)(field)*u_stride + (unit))
#define UNIT_INTEGERS(field, unit) LOAD_INTEGERS(__global, U_g + (size_t)(field)*u_stride + (unit))
#define STATE_VALUES(field, unit) LOAD(__global, A_g + (size_t)(field)*u_stride + (unit))
#define STATE_INTEGERS(field, unit) LOAD_INTEGERS(__global, A_g + (size_t)(field)*u_stride + (unit))
#define STORE_STATE(field, unit, value) STORE(__global, A_g + (size_t)(field)*u_stride + (unit), value)
#define STORE_STATE_INTEGERS(field, unit, value) \
    STORE_INTEGERS(__global, A_g + (size_t)(field)*u_stride + (unit), value)
#endif
