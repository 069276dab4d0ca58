#!/bin/bash
# clang-tidy over the files given; prints what it finds one line each.
clang-tidy --quiet "$@" -- -std=c17 -D_GNU_SOURCE '-DRB_PG_QUERY="libpg_query.so"' -Icore -Icmd "-I$(pkg-config --variable=includedir libpq)" 2>&1 |
    grep -E ': (error|warning):'
exit 0
