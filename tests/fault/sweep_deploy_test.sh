#!/bin/bash
# The kill sweep over `rbtool deploy`.
SWEEP=deploy exec "$(dirname "$0")/sweep_test.sh"
