/* A policy: read or refused in words; what is read answers every question. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/policy_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    rb_err err = {0};
    if (rb_policy_read(&json, (const char *)data, size, "policy.json", &err) != RB_OK) {
        if (!err.message[0] || json || strchr(err.message, '\n'))
            abort();
        return 0;
    }
    static const char *const people[] = {"alice@example.com", "bob@example.com,carol@example.com",
                                         ""};
    const json_t *roles = json_object_get(json, "roles");
    for (size_t i = 0; i < sizeof people / sizeof *people; i++)
        for (int role = 0; role < RB_ROLES; role++) {
            const char *name = rb_role_name((enum rb_role)role);
            bool lets = rb_policy_json_allows(json, (enum rb_role)role, people[i], NULL);
            const json_t *list = json_object_get(roles, name);
            if (list ? lets && json_array_size(list) == 0 : !lets)
                abort();
        }
    const json_t *rules = rb_policy_json_environment(json, "prod");
    if (rb_json_int(json_object_get(rules, "approvals"), "deploy", 0) > 100)
        abort();
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(json, "revoked"), i, item)
        if (!rb_policy_json_revokes(json, rb_json_str(item, "key")))
            abort();
    return 0;
}
