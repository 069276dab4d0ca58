/* Compares the ledger with what this clone and this host know of it from elsewhere: entries that
 * were cut off from its end leave no gap that the ledger itself shows. */
#ifndef RB_CMD_LOG_COMPARE_H
#define RB_CMD_LOG_COMPARE_H

#include "cli.h"

/*
 * Returns the number of entries that the ledger lacks, and prints what they are and where they are
 * known from: what remotes had at the last sync, and what environments of this host recorded.
 * Notes what was compared, and how a tip that was published is compared.
 */
size_t rb_log_compare(rb_cli *cli, const rb_ledger *ledger);

#endif
