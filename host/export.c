#include "export.h"

#include "io/number.h"

static plethron_status write_content(const plethron_bank *bank, plethron_export_format format, const char *path,
                                     FILE *stream, plethron_error *err) {
    switch (format) {
    case PLETHRON_EXPORT_ONNX: return export_onnx(bank, path, stream, err);
    case PLETHRON_EXPORT_C: return export_c(bank, path, stream, err);
    case PLETHRON_EXPORT_JSON: break;
    }
    export_json(bank, stream);
    return PLETHRON_OK;
}

static plethron_status check(const plethron_bank *bank, plethron_export_format format, const char *path,
                             plethron_error *err) {
    if ((int)format < PLETHRON_EXPORT_ONNX || (int)format > PLETHRON_EXPORT_JSON)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "the export format is %d: one of plethron_export_format, 0 to %d,"
                         " was expected",
                         (int)format, PLETHRON_EXPORT_JSON);
    if (format != PLETHRON_EXPORT_JSON && bank->entities.count > 0)
        return error_set(err, PLETHRON_ERROR_UNSUPPORTED,
                         "%s: the model has units for each of %zu values of '%s', and which of them predict depends on "
                         "the row: only JSON holds such a model",
                         path, bank->entities.count, bank->entity_column);
    return PLETHRON_OK;
}

plethron_status plethron_bank_export(const plethron_bank *bank, plethron_export_format format, const char *path,
                                     plethron_error *err) {
    plethron_status status;
    plethron_output *output = NULL;
    number_locale locale;
    TRY(check(bank, format, path, err));
    TRY(plethron_output_open(path, &output, err));
    TRY(number_locale_enter(&locale, err));
    status = write_content(bank, format, path, plethron_output_stream(output), err);
    number_locale_leave(locale);
    if (status == PLETHRON_OK) TRY(plethron_output_commit(output, err)); /* reports what any write above met */
out:
    plethron_output_close(output);
    return status;
}
