#include "git/attributes.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME ".gitattributes"
#define MACRO "[attr]"
#define MACRO_DEPTH 8

/* A line of the file: a pattern or a macro's name, and the attributes that follow it. */
struct rule {
    char *pattern;
    bool macro;
    rb_strs words;
};

struct file {
    char *base; /* the folder of the file: "" or with '/' at the end */
    struct rule *rules;
    size_t n;
};

struct rb_attributes {
    rb_repo *repo;
    rb_oid tree;
    pthread_mutex_t lock;
    struct file **files; /* files read so far; a missing file has an entry without rules */
    size_t n;
};

rb_attributes *rb_attributes_new(rb_repo *repo, const rb_oid *tree)
{
    rb_attributes *attributes = rb_calloc(1, sizeof *attributes);
    attributes->repo = repo;
    attributes->tree = *tree;
    pthread_mutex_init(&attributes->lock, NULL);
    return attributes;
}

static void file_free(struct file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->n; i++) {
        free(file->rules[i].pattern);
        rb_strs_clear(&file->rules[i].words);
    }
    free(file->rules);
    free(file->base);
    free(file);
}

void rb_attributes_free(rb_attributes *attributes)
{
    if (!attributes)
        return;
    for (size_t i = 0; i < attributes->n; i++)
        file_free(attributes->files[i]);
    free(attributes->files);
    pthread_mutex_destroy(&attributes->lock);
    free(attributes);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Decodes the escape at *p of a C-quoted name (octal or a letter); moves *p behind it. */
static char unescape(const char **p, const char *end)
{
    static const char letters[] = "abfnrtv";
    static const char meant[] = "\a\b\f\n\r\t\v";
    if (**p >= '0' && **p <= '7') {
        unsigned value = 0;
        for (int i = 0; i < 3 && *p < end && **p >= '0' && **p <= '7'; i++)
            value = value * 8 + (unsigned)(*(*p)++ - '0');
        return (char)value;
    }
    char c = *(*p)++;
    const char *letter = strchr(letters, c);
    return letter && c ? meant[letter - letters] : c;
}

/* Returns the first word, unquoted if it is C-quoted; moves *p behind it. */
static char *first_word(const char **p, const char *end)
{
    const char *start = *p;
    if (*start != '"') {
        while (*p < end && !is_blank(**p))
            ++*p;
        return rb_strndup(start, (size_t)(*p - start));
    }
    rb_buf word = {0};
    ++*p;
    while (*p < end && **p != '"') {
        char c = *(*p)++;
        if (c == '\\' && *p < end)
            c = unescape(p, end);
        rb_buf_addc(&word, c);
    }
    if (*p < end)
        ++*p;
    return rb_buf_detach(&word);
}

static void add_line(struct file *file, const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    if (p == end || *p == '#')
        return;
    RB_AUTO(rb_free_str) char *pattern = first_word(&p, end);
    bool macro = strncmp(pattern, MACRO, strlen(MACRO)) == 0;
    /* git ignores negative patterns, and macros that are not in the top folder. */
    if (pattern[0] == '!' || pattern[0] == '\0' || (macro && file->base[0]))
        return;
    file->rules = rb_grow(file->rules, file->n, sizeof *file->rules);
    struct rule *rule = &file->rules[file->n++];
    *rule =
        (struct rule){.macro = macro, .pattern = rb_strdup(pattern + (macro ? strlen(MACRO) : 0))};
    while (p < end) {
        while (p < end && is_blank(*p))
            p++;
        const char *start = p;
        while (p < end && !is_blank(*p))
            p++;
        if (p > start)
            rb_strs_take(&rule->words, rb_strndup(start, (size_t)(p - start)));
    }
}

static struct file *parse(const char *base, const char *text, size_t len)
{
    struct file *file = rb_calloc(1, sizeof *file);
    file->base = rb_strdup(base);
    const char *end = text + len;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    while (text < end) {
        const char *lf = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = lf ? lf : end;
        add_line(file, text, line_end);
        text = line_end + (lf ? 1 : 0);
    }
    return file;
}

/* Matches one component of a path against one component of a pattern. */
static bool match_part(const char *pattern, size_t pattern_len, const char *part, size_t len)
{
    RB_AUTO(rb_free_str) char *a = rb_strndup(pattern, pattern_len);
    RB_AUTO(rb_free_str) char *b = rb_strndup(part, len);
    return fnmatch(a, b, 0) == 0;
}

static size_t count_parts(const char *path)
{
    size_t n = 1;
    for (; *path; path++)
        n += *path == '/';
    return n;
}

/*
 * Matches like git's wildmatch with WM_PATHNAME, component by component. "**" matches any number of
 * components; at the end of the pattern, at least one. reach[j] is true if the pattern so far
 * matches the first j components of the path. Updating it once a component limits the time to the
 * product of both lengths.
 */
static bool match_path(const char *pattern, const char *path)
{
    size_t n = count_parts(path);
    bool *reach = rb_calloc(n + 1, sizeof *reach);
    reach[0] = true;
    for (const char *p = pattern; p;) {
        size_t len = strcspn(p, "/");
        bool stars = len == 2 && p[0] == '*' && p[1] == '*';
        bool last = p[len] == '\0';
        const char *end = path + strlen(path);
        bool before = false; /* the pattern before "**" matches fewer components */
        bool previous = reach[0];
        reach[0] = stars && !last && reach[0];
        const char *part = path;
        for (size_t j = 1; j <= n; j++) {
            size_t part_len = strcspn(part, "/");
            bool current = reach[j];
            before = before || previous;
            if (stars)
                reach[j] = before || (!last && current);
            else
                reach[j] = previous && match_part(p, len, part, part_len);
            previous = current;
            part = part + part_len < end ? part + part_len + 1 : end;
        }
        p = last ? NULL : p + len + 1;
    }
    bool matched = reach[n];
    free(reach);
    return matched;
}

bool rb_attributes_match(const char *pattern, const char *base, const char *path)
{
    size_t len = strlen(base);
    size_t n = strlen(pattern);
    if (n == 0 || pattern[n - 1] == '/' || strncmp(path, base, len) != 0)
        return false;
    if (!strchr(pattern, '/')) {
        const char *slash = strrchr(path, '/');
        return fnmatch(pattern, slash ? slash + 1 : path, 0) == 0;
    }
    return match_path(pattern + (pattern[0] == '/'), path + len);
}

static const char is_set[] = "set";

/* Returns whether the words set or unset the attribute `name`, directly or by a macro. *value is
 * then NULL (unset), is_set (set without a value) or its value. */
static bool words_say(const char **value, const rb_attributes *attributes, const rb_strs *words,
                      const char *name, int depth)
{
    bool said = false;
    size_t len = strlen(name);
    for (size_t i = 0; i < words->n; i++) {
        const char *word = words->items[i];
        const char *bare = word + (*word == '-' || *word == '!');
        if (strncmp(bare, name, len) == 0 && (bare[len] == '=' || bare[len] == '\0')) {
            said = true;
            *value = bare != word ? NULL : bare[len] == '=' ? bare + len + 1 : is_set;
            continue;
        }
        const struct file *top = attributes->n > 0 ? attributes->files[0] : NULL;
        for (size_t j = top && depth < MACRO_DEPTH && bare == word ? top->n : 0; j > 0; j--) {
            const struct rule *rule = &top->rules[j - 1];
            if (rule->macro && strcmp(rule->pattern, word) == 0) {
                said = words_say(value, attributes, &rule->words, name, depth + 1) || said;
                break;
            }
        }
    }
    return said;
}

static enum rb_code file_at(const struct file **out, rb_attributes *attributes, const char *base,
                            rb_err *err)
{
    for (size_t i = 0; i < attributes->n; i++)
        if (strcmp(attributes->files[i]->base, base) == 0) {
            *out = attributes->files[i];
            return RB_OK;
        }
    RB_AUTO(rb_free_str) char *path = rb_format("%s" FILE_NAME, base);
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry entry = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    enum rb_code code = rb_tree_find(&entry, attributes->repo, &attributes->tree, path, err);
    /* git does not read a symlink named .gitattributes. */
    if (code == RB_OK && (entry.mode == RB_MODE_FILE || entry.mode == RB_MODE_EXEC))
        code = rb_blob_read(&text, attributes->repo, &entry.oid, path, RB_ATTRIBUTES_LIMIT, err);
    if (code != RB_OK && code != RB_FOUND)
        return code;
    attributes->files = rb_grow(attributes->files, attributes->n, sizeof *attributes->files);
    *out = attributes->files[attributes->n++] = parse(base, rb_buf_str(&text), text.len);
    return RB_OK;
}

static enum rb_code find_value(const char **out, rb_attributes *attributes, const char *path,
                               const char *name, rb_err *err)
{
    const char *value = NULL;
    for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL) {
        RB_AUTO(rb_free_str) char *base = rb_strndup(path, (size_t)(p - path));
        const struct file *file = NULL;
        RB_TRY(file_at(&file, attributes, base, err));
        for (size_t i = 0; i < file->n; i++) {
            const struct rule *rule = &file->rules[i];
            if (!rule->macro && rb_attributes_match(rule->pattern, base, path))
                words_say(&value, attributes, &rule->words, name, 0);
        }
    }
    *out = value;
    return RB_OK;
}

size_t rb_attributes_count(const char *text, size_t len)
{
    struct file *file = parse("", text, len);
    size_t n = file->n;
    file_free(file);
    return n;
}

enum rb_code rb_attributes_get(char **out, rb_attributes *attributes, const char *path,
                               const char *name, rb_err *err)
{
    const char *value = NULL;
    pthread_mutex_lock(&attributes->lock);
    enum rb_code code = find_value(&value, attributes, path, name, err);
    if (code == RB_OK)
        *out = value == is_set ? NULL : rb_strdup(value);
    pthread_mutex_unlock(&attributes->lock);
    return code;
}

enum rb_code rb_attributes_is_set(bool *out, rb_attributes *attributes, const char *path,
                                  const char *name, rb_err *err)
{
    const char *value = NULL;
    pthread_mutex_lock(&attributes->lock);
    enum rb_code code = find_value(&value, attributes, path, name, err);
    *out = code == RB_OK && value == is_set;
    pthread_mutex_unlock(&attributes->lock);
    return code;
}
