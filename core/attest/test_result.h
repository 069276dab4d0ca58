/*
 * The proof of a release as an in-toto test result
 * (https://in-toto.io/attestation/test-result/v0.1): each new migration is a test of its way back.
 */
#ifndef RB_ATTEST_TEST_RESULT_H
#define RB_ATTEST_TEST_RESULT_H

#include "release/release.h"

#define RB_TEST_RESULT_TYPE "https://in-toto.io/attestation/test-result/v0.1"

/*
 * A new statement. A migration, named DATABASE/ID, passed if its down restores schema and data and
 * its up runs again; it warns if something known stays different, is lost, or could not be tried;
 * it failed if the down fails or is missing, or the up does not run again.
 */
json_t *rb_test_result_statement(const rb_release *release);

#endif
