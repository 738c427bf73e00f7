// Parsers run no ops: empty tables stand for theirs, so that no kernel is built with sanitizers.
#include "../../../cu/common/op.h"

extern "C" {
extern const gust::OpFunction gust_op_table_portable[1], gust_op_table_avx2[1], gust_op_table_avx512[1];
const gust::OpFunction gust_op_table_portable[1] = {}, gust_op_table_avx2[1] = {}, gust_op_table_avx512[1] = {};
}
