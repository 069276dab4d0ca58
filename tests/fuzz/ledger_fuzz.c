/* A commit that may be an entry of the ledger. */
#include <stdlib.h>
#include <string.h>

#include "ledger/entry_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is signed and the signature, put together as git does, are the commit again. */
static void put_together(const rb_entry_form *form, const char *raw, size_t len)
{
    RB_AUTO(rb_buf_clear) rb_buf again = {0};
    const char *blank = memmem(form->payload.data, form->payload.len, "\n\n", 2);
    size_t headers = (size_t)(blank + 1 - form->payload.data);
    rb_buf_add(&again, form->payload.data, headers);
    for (size_t i = 0; i < form->signature.len;) {
        const char *line = form->signature.data + i;
        size_t n = strcspn(line, "\n");
        rb_buf_puts(&again, i == 0 ? "gpgsig " : " ");
        rb_buf_add(&again, line, n + 1);
        i += n + 1;
    }
    rb_buf_add(&again, form->payload.data + headers, form->payload.len - headers);
    if (again.len != len || memcmp(again.data, raw, len) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RB_AUTO(rb_entry_form_clear) rb_entry_form form = {0};
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    const char *raw = size ? (const char *)data : "";
    bool good = rb_entry_form_read(&form, raw, size, &problems) == RB_OK;
    if (good == (problems.n > 0) || !form.title || form.parent_count > RB_ENTRY_PARENTS)
        abort();
    if (good != (form.json != NULL) || good != (form.text != NULL))
        abort();
    if (good && (!form.claims || form.kind >= RB_ENTRY_KINDS || !form.committer.who))
        abort();
    if (good)
        put_together(&form, raw, size);
    return 0;
}
