/* What a user of the installed library might write: trains an AND gate on the host and checks what it predicts. */
#include <plethron.h>

enum { N_SAMPLES = 4, N_FEATURES = 2, N_UNITS = 1, N_TARGETS = 1 };

int main(void) {
    const float X[N_SAMPLES * N_FEATURES] = {0, 0, 0, 1, 1, 0, 1, 1};
    const float Y[N_SAMPLES * N_TARGETS] = {0, 0, 0, 1};
    const float learning_rate = 1.0f;
    const plethron_bank_options options = {.struct_size = sizeof options, .learning_rate = {&learning_rate, 1}};

    plethron_device *device = NULL;
    plethron_dataset *data = NULL;
    plethron_bank *bank = NULL;
    plethron_error err;
    float P[N_SAMPLES * N_UNITS];
    int n_wrong = N_SAMPLES;
    if (plethron_device_open("host", &device, &err) ||
        plethron_dataset_create(device, X, N_SAMPLES, N_FEATURES, Y, N_TARGETS, NULL, &data, &err) ||
        plethron_bank_create(N_FEATURES, N_UNITS, &options, &bank, &err) || plethron_train(data, bank, NULL, &err) ||
        plethron_predict(device, bank, X, N_SAMPLES, P, &err)) {
        fprintf(stderr, "%s\n", err.text);
    } else {
        n_wrong = 0;
        for (int i = 0; i < N_SAMPLES; i++) {
            printf("%g AND %g: %g\n", X[2 * i], X[2 * i + 1], P[i]);
            if ((P[i] > 0.5f) != (Y[i] > 0.5f)) n_wrong++;
        }
    }
    plethron_bank_close(bank);
    plethron_dataset_close(data);
    plethron_device_close(device);
    return n_wrong;
}
