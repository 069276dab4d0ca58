#!/usr/bin/env bats
# Migrations that use functions which the application registers.

load lib

setup() {
    home
    keys
    shop
    cat >"$HOME/shout.c" <<'C'
#include <ctype.h>
#include <stddef.h>
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
static void shout(sqlite3_context *context, int n, sqlite3_value **values)
{
    const unsigned char *text = sqlite3_value_text(values[0]);
    char out[64];
    size_t i = 0;
    for (; n == 1 && text && text[i] && i < sizeof out - 2; i++)
        out[i] = (char)toupper(text[i]);
    out[i++] = '!';
    sqlite3_result_text(context, out, (int)i, SQLITE_TRANSIENT);
}
int sqlite3_shout_init(sqlite3 *db, char **error, const sqlite3_api_routines *api);
int sqlite3_shout_init(sqlite3 *db, char **error, const sqlite3_api_routines *api)
{
    SQLITE_EXTENSION_INIT2(api);
    (void)error;
    return sqlite3_create_function(db, "shout", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, 0, shout, 0, 0);
}
C
    ${CC:-cc} -shared -fPIC -o "$HOME/shout.so" "$HOME/shout.c"
    rbtool release v1.0.0
    rbtool deploy v1.0.0 --yes
    sqlite3 "$PROD/data/shop.db" 'INSERT INTO orders VALUES (1, 5)'
    echo "ALTER TABLE orders ADD COLUMN note TEXT; UPDATE orders SET note = shout('order ' || id);
        CREATE INDEX loud ON orders (shout(note));" >migrations/0002_note.up.sql
    echo 'DROP INDEX loud; ALTER TABLE orders DROP COLUMN note;' >migrations/0002_note.down.sql
    echo 1.1.0 >VERSION
    git add -A
    git commit -qm note
}

@test "without the extension, the error names the missing function and the setting to add" {
    fails 1 'no such function: shout' rbtool release v1.1.0 --accept RB001,RB002
    [[ $output == *'git config --add rbtool.extension'* && -z $(git tag -l v1.1.0) ]]
}

@test "with the extension, release proves the migrations, and deploy and revert run them" {
    git config rbtool.extension "$HOME/shout.so"
    rbtool release v1.1.0
    [[ $(manifest v1.1.0 | jq -r .predicate.rollback.class) == reversible ]]
    rbtool deploy v1.1.0 --yes
    [[ $(sqlite3 "$PROD/data/shop.db" 'SELECT note FROM orders') == 'ORDER 1!' ]]
    rbtool diff v1.0.0 v1.1.0 >diff.txt
    rbtool status --exit-code
    # a note that the up does not compute is data that the older release cannot hold
    sqlite3 -cmd ".load $HOME/shout" "$PROD/data/shop.db" "UPDATE orders SET note = 'mine'"
    fails 5 accept-data-loss rbtool revert v1.1.0 --yes
    digest=$(grep -o 'accept-data-loss [0-9a-f]*' <<<"$output" | tail -1 | cut -d' ' -f2)
    rbtool revert v1.1.0 --yes --accept-data-loss "$digest"
    [[ $(sqlite3 "$PROD/data/shop.db" 'SELECT * FROM orders') == '1|5' ]]
}

@test "an extension in the work tree is refused" {
    cp "$HOME/shout.so" shout.so
    git config rbtool.extension "$PWD/shout.so"
    fails 2 'lies in the work tree' rbtool release v1.1.0
    ln -s "$HOME/shout.so" link.so
    git config rbtool.extension "$PWD/link.so"
    fails 2 'lies in the work tree' rbtool release v1.1.0
    git config rbtool.extension shout.so
    fails 2 'lies in the work tree' rbtool release v1.1.0
}

@test "status and abort work when an extension does not load" {
    echo 'no library' >"$HOME/broken.so"
    git config rbtool.extension "$HOME/broken.so"
    run rbtool status
    [[ $output == *v1.0.0* && $output == *"SQLite extension $HOME/broken.so"* ]]
    rbtool abort --yes
}

@test "an extension that does not load is named, and a script cannot load one" {
    echo 'no library' >"$HOME/broken.so"
    git config rbtool.extension "$HOME/broken.so"
    fails 2 "SQLite extension $HOME/broken.so, which git config rbtool.extension names, does not load" \
        rbtool deploy v1.0.0 --yes
    git config rbtool.extension "$HOME/absent.so"
    run rbtool status
    [[ $output == *v1.0.0* && $output == *"git config rbtool.extension names $HOME/absent.so, which does not exist"* ]]
    git config rbtool.extension "$HOME/shout.so"
    echo "SELECT load_extension('$HOME/shout.so');" >migrations/0003_load.up.sql
    git add -A
    git commit -qm load
    fails 1 load_extension rbtool release v1.1.0 --accept RB001
}
