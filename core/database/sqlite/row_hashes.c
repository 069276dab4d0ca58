#include "database/sqlite/row_hashes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "database/sqlite/watch.h"

#define COLUMNS_AT_ONCE 30 /* two cells each; a query of ours has at most 64 */
#define SEED 0xcbf29ce484222325u
#define IS_DEFAULT ((uint64_t)1)
#define EXACT_BELOW 9007199254740992 /* whole numbers that a double holds */

void rb_held_columns_add(rb_held_columns *columns, const char *name, const char *fallback,
                         bool loose)
{
    columns->items = rb_realloc(columns->items, columns->n + 1, sizeof *columns->items);
    columns->items[columns->n++] =
        (rb_held_column){rb_strdup(name), fallback ? rb_strdup(fallback) : NULL, loose};
}

void rb_held_columns_clear(rb_held_columns *columns)
{
    for (size_t i = 0; i < columns->n; i++) {
        free(columns->items[i].name);
        free(columns->items[i].fallback);
    }
    free(columns->items);
    *columns = (rb_held_columns){0};
}

void rb_held_clear(rb_held *held)
{
    rb_strs_clear(&held->names);
    free(held->values);
    *held = (rb_held){0};
}

/* Hashing */

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

static uint64_t mix_number(int kind, int64_t bits)
{
    return mix(mix(SEED, &kind, sizeof kind), &bits, sizeof bits);
}

static uint64_t mix_double(double number)
{
    int64_t bits = (int64_t)number;
    if (number > -EXACT_BELOW && number < EXACT_BELOW && (double)bits == number)
        return mix_number(RB_CELL_INTEGER, bits);
    memcpy(&bits, &number, sizeof bits);
    return mix_number(RB_CELL_REAL, bits);
}

/* Text that stands for a number, as a column of a numeric type would store it. */
static bool is_number(double *out, const rb_cell *cell)
{
    const char *text = cell->data;
    char *end;
    if (cell->len == 0 || cell->len > 40 || !strchr("+-.0123456789", text[0]))
        return false;
    *out = strtod(text, &end);
    return end == text + cell->len;
}

static uint64_t mix_cell(const rb_cell *cell, bool loose)
{
    double number = 0;
    int kind = cell->kind;
    int64_t bits;
    switch (cell->kind) {
    case RB_CELL_NULL:
        return SEED;
    case RB_CELL_INTEGER:
        return mix_number(kind, cell->integer);
    case RB_CELL_REAL:
        memcpy(&bits, &cell->real, sizeof bits);
        return loose ? mix_double(cell->real) : mix_number(kind, bits);
    case RB_CELL_TEXT:
        if (loose && is_number(&number, cell))
            return mix_double(number);
        break;
    default:
        break;
    }
    kind = loose ? RB_CELL_TEXT : kind;
    return mix(mix(SEED, &kind, sizeof kind), cell->data ? cell->data : "", cell->len);
}

uint64_t rb_cell_mix(uint64_t hash, const rb_cell *cell, bool loose)
{
    uint64_t value = mix_cell(cell, loose);
    return mix(hash ^ SEED, &value, sizeof value);
}

/* Reading */

typedef struct reading {
    rb_held *out;
    const rb_held_columns *columns;
    size_t from; /* columns of this query */
    size_t taken;
    size_t row;
} reading;

static void grow(rb_held *held)
{
    size_t width = held->names.n;
    if (held->rows == held->cap) {
        held->cap = held->cap ? held->cap * 2 : 64;
        held->values = rb_realloc(held->values, held->cap * width, sizeof *held->values);
    }
    held->rows++;
}

static bool add_values(void *context, const rb_cell *cells, size_t n)
{
    reading *r = context;
    rb_held *held = r->out;
    size_t width = held->names.n;
    (void)n;
    if (r->from == 0 && (held->rows + 1) * width > RB_HELD_LIMIT) {
        held->over = true;
        return false;
    }
    if (r->from == 0)
        grow(held);
    if (r->row >= held->rows)
        return false;
    for (size_t i = 0; i < r->taken; i++) {
        uint64_t hash = mix_cell(&cells[2 * i], r->columns->items[r->from + i].loose);
        bool counts = cells[2 * i + 1].integer != 0;
        held->values[r->row * width + r->from + i] = (hash & ~IS_DEFAULT) | (counts ? 0 : 1);
    }
    r->row++;
    return true;
}

enum rb_code rb_held_read(rb_held *out, rb_sqlite *db, const char *table,
                          const rb_held_columns *columns, rb_err *err)
{
    RB_AUTO(rb_free_str) char *from = rb_sqlite_name(table);
    rb_held_clear(out);
    for (size_t i = 0; i < columns->n; i++)
        rb_strs_add(&out->names, columns->items[i].name);
    for (size_t at = 0; at < columns->n && !out->over; at += COLUMNS_AT_ONCE) {
        reading r = {.out = out, .columns = columns, .from = at};
        rb_buf sql = {0};
        for (size_t i = at; i < columns->n && r.taken < COLUMNS_AT_ONCE; i++, r.taken++) {
            RB_AUTO(rb_free_str) char *name = rb_sqlite_name(columns->items[i].name);
            const char *fallback = columns->items[i].fallback;
            RB_AUTO(rb_free_str) char *value = fallback ? rb_watch_fallback(fallback) : NULL;
            rb_buf_printf(&sql, "%s %s, ", r.taken ? "," : "SELECT", name);
            if (value)
                rb_buf_printf(&sql, "%s IS NOT (%s)", name, value);
            else
                rb_buf_puts(&sql, "1");
        }
        /* An index that has all columns would have another order. */
        rb_buf_printf(&sql, " FROM main.%s NOT INDEXED", from);
        RB_TRY(rb_sqlite_run(db, rb_buf_detach(&sql), add_values, &r, err));
    }
    return RB_OK;
}

/* Comparing */

typedef struct side {
    const rb_held *held;
    size_t *at; /* of each column compared */
    bool *alone;
} side;

typedef struct hashed {
    uint64_t hash;
    size_t row;
} hashed;

static uint64_t value_of(const side *s, size_t row, size_t column)
{
    return s->held->values[row * s->held->names.n + s->at[column]];
}

static int by_hash(const void *a, const void *b)
{
    const hashed *x = a;
    const hashed *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static hashed *hash_rows(const side *s, size_t columns)
{
    hashed *rows = rb_calloc(s->held->rows + 1, sizeof *rows);
    for (size_t i = 0; i < s->held->rows; i++) {
        rows[i] = (hashed){SEED, i};
        for (size_t j = 0; j < columns; j++) {
            uint64_t value = value_of(s, i, j) & ~IS_DEFAULT;
            rows[i].hash = mix(rows[i].hash, &value, sizeof value);
        }
    }
    qsort(rows, s->held->rows, sizeof *rows, by_hash);
    return rows;
}

/* Leaves alone[] true for those without an equal. */
static void match_equal(side *was, side *now, size_t columns)
{
    hashed *left = hash_rows(was, columns);
    hashed *right = hash_rows(now, columns);
    size_t i = 0;
    size_t j = 0;
    while (i < was->held->rows || j < now->held->rows) {
        bool no_left = i == was->held->rows;
        bool no_right = j == now->held->rows;
        if (!no_left && !no_right && left[i].hash == right[j].hash) {
            i++;
            j++;
        } else if (no_right || (!no_left && left[i].hash < right[j].hash)) {
            was->alone[left[i++].row] = true;
        } else {
            now->alone[right[j++].row] = true;
        }
    }
    free(left);
    free(right);
}

static bool fits(const side *was, size_t row, const side *now, size_t other, size_t columns)
{
    for (size_t i = 0; i < columns; i++) {
        uint64_t value = value_of(was, row, i);
        if (!(value & IS_DEFAULT) && (value_of(now, other, i) & ~IS_DEFAULT) != value)
            return false;
    }
    return true;
}

static int64_t match_in_order(const side *was, const side *now, size_t columns)
{
    int64_t lost = 0;
    size_t j = 0;
    for (size_t i = 0; i < was->held->rows; i++) {
        if (!was->alone[i])
            continue;
        while (j < now->held->rows && !now->alone[j])
            j++;
        if (j < now->held->rows && fits(was, i, now, j, columns))
            j++;
        else
            lost++;
    }
    return lost;
}

static size_t values_in(const rb_held *held, size_t column)
{
    size_t n = 0;
    for (size_t i = 0; i < held->rows; i++)
        n += !(held->values[i * held->names.n + column] & IS_DEFAULT);
    return n;
}

/* Columns to compare, as places in both. */
static size_t find_columns(side *was, side *now)
{
    size_t n = 0;
    size_t fewer = was->held->rows > now->held->rows ? was->held->rows - now->held->rows : 0;
    for (size_t i = 0; i < was->held->names.n; i++)
        for (size_t j = 0; j < now->held->names.n; j++) {
            if (strcasecmp(was->held->names.items[i], now->held->names.items[j]) != 0 ||
                values_in(was->held, i) > values_in(now->held, j) + fewer)
                continue;
            was->at[n] = i;
            now->at[n++] = j;
            break;
        }
    return n;
}

int64_t rb_held_lost(const rb_held *was, const rb_held *now)
{
    if (was->over || now->over)
        return 0;
    side left = {was, rb_calloc(was->names.n + 1, sizeof(size_t)), rb_calloc(was->rows + 1, 1)};
    side right = {now, rb_calloc(was->names.n + 1, sizeof(size_t)), rb_calloc(now->rows + 1, 1)};
    size_t columns = find_columns(&left, &right);
    match_equal(&left, &right, columns);
    int64_t lost = match_in_order(&left, &right, columns);
    free(left.at);
    free(left.alone);
    free(right.at);
    free(right.alone);
    return lost;
}
