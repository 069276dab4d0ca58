/*
 * Describes the proof of a release as an in-toto test result
 * (https://in-toto.io/attestation/test-result/v0.1): each new migration is a test of its way back.
 */
#ifndef RB_ATTEST_TEST_RESULT_H
#define RB_ATTEST_TEST_RESULT_H

#include "release/release.h"

#define RB_TEST_RESULT_TYPE "https://in-toto.io/attestation/test-result/v0.1"

/*
 * Returns a new statement. A migration, named DATABASE/ID, has passed if its down restores schema
 * and data and its up runs again. It has warned if a known difference remains, data is lost, or it
 * could not be tried. It has failed if the down fails or is missing, or the up does not run again.
 */
json_t *rb_test_result_statement(const rb_release *release);

#endif
