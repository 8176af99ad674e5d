/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/back_counts.h"

#include "lib/base/fault.h"
#include "lib/base/metrics.h"

void weir_back_count_failure(const weir_fault_t *fault)
{
    static const struct {
        const weir_fault_t *fault;
        weir_cell_t cell;
    } cells[] = {
        {&weir_fault_backend_refused, WEIR_CELL_connects_refused},
        {&weir_fault_backend_unreachable, WEIR_CELL_connects_unreachable},
        {&weir_fault_backend_connect_timeout, WEIR_CELL_connects_timeout},
        {&weir_fault_backend_unresolved, WEIR_CELL_connects_unresolved},
        {&weir_fault_backend_tls_failed, WEIR_CELL_connects_tls},
        {&weir_fault_backend_tls_untrusted, WEIR_CELL_connects_tls},
        {&weir_fault_backend_tls_expired, WEIR_CELL_connects_tls},
        {&weir_fault_backend_tls_name, WEIR_CELL_connects_tls},
        {&weir_fault_backend_tls_flood, WEIR_CELL_connects_tls},
    };

    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        if (cells[i].fault == fault) {
            weir_metrics_add(cells[i].cell, 1);
            return;
        }
    weir_metrics_add(WEIR_CELL_connects_other, 1);
}
