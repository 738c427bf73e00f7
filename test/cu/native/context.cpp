// Errors, memory, arenas, slots and programs through the C ABI.
#include "check.h"

using namespace gust;
using namespace gust::test;

GUST_TEST(errors_have_a_code_and_a_text) {
  GUST_CHECK(gust_set_isa("z80") == GUST_EINVAL);
  GUST_CHECK(last_error().find("\"z80\"") != std::string::npos);
  char text[8];
  GUST_CHECK(gust_last_error(text, sizeof text) > 7 && std::strlen(text) == 7);
  GUST_CHECK(gust_set_num_threads(-1) == GUST_EINVAL);
  int64_t out;
  GUST_CHECK(gust_context_create(1, &out) == GUST_EINVAL);
  GUST_CHECK(gust_alloc(-1, 0, &out) == GUST_EINVAL);
}

GUST_TEST(memory_is_aligned_zeroed_and_accounted) {
  int64_t before[6], after[6];
  succeed(gust_memory(before));
  for (int64_t size : {int64_t{0}, int64_t{1}, int64_t{100}, int64_t{5} << 20}) {
    int64_t address;
    succeed(gust_alloc(size, 1, &address));
    GUST_CHECK(address % 64 == 0);
    auto* bytes = reinterpret_cast<unsigned char*>(address);
    for (int64_t i = 0; i < size; ++i) GUST_CHECK(bytes[i] == 0);
    std::memset(bytes, 1, static_cast<size_t>(size));
    succeed(gust_free(address, size));
  }
  succeed(gust_free(0, 10));
  succeed(gust_memory(after));
  GUST_CHECK(after[0] == before[0] && after[1] >= int64_t{5} << 20 && after[3] >= after[2]);
}

GUST_TEST(arena_tensors_go_with_their_arena) {
  Machine machine;
  int64_t arena, tensor[2];
  succeed(gust_arena_create(machine.context, &arena));
  const int32_t id = static_cast<int32_t>(arena);
  for (int round = 0; round < 3; ++round) {
    std::vector<int64_t> slots;
    for (int i = 0; i < 100; ++i) {  // past one block of the arena
      succeed(gust_tensor_create(machine.context, id, GUST_F32, 100 + i, 1000, i % 2, tensor));
      auto* data = reinterpret_cast<float*>(tensor[1]);
      if (i % 2) GUST_CHECK(data[0] == 0 && data[(100 + i) * 1000 - 1] == 0);
      std::fill_n(data, (100 + i) * 1000, 1.0f);
      slots.push_back(tensor[0]);
    }
    GUST_CHECK(machine.try_run(op_number("fill"), fill_args{{}, slots[3], 2.0}) == GUST_OK);
    succeed(gust_arena_reset(machine.context, id));
    GUST_CHECK(machine.try_run(op_number("fill"), fill_args{{}, slots[3], 2.0}) == GUST_EINVAL);
    GUST_CHECK(last_error().find("holds no tensor") != std::string::npos);
  }
  succeed(gust_arena_destroy(machine.context, id));
  GUST_CHECK(gust_arena_reset(machine.context, id) == GUST_EINVAL);
  GUST_CHECK(gust_arena_reset(machine.context, 0) == GUST_EINVAL);
}

GUST_TEST(persistent_tensors_are_freed_one_by_one) {
  Machine machine;
  int64_t first[2], second[2];
  succeed(gust_tensor_create(machine.context, 0, GUST_F64, 10, 10, 1, first));
  succeed(gust_tensor_destroy(machine.context, first[0]));
  GUST_CHECK(gust_tensor_destroy(machine.context, first[0]) == GUST_EINVAL);
  succeed(gust_tensor_create(machine.context, 0, GUST_F64, 10, 10, 1, second));
  GUST_CHECK(second[0] == first[0]);
  GUST_CHECK(gust_tensor_rebind(machine.context, second[0], 1, 1, 0) == GUST_EINVAL);
  int64_t out[2];
  GUST_CHECK(gust_tensor_create(machine.context, 0, GUST_F64, int64_t{1} << 40, int64_t{1} << 40, 0, out) ==
             GUST_EINVAL);
  GUST_CHECK(gust_tensor_create(machine.context, 0, 99, 1, 1, 0, out) == GUST_EINVAL);
  GUST_CHECK(gust_tensor_create(machine.context, 0, GUST_F32, -1, 1, 0, out) == GUST_EINVAL);
}

GUST_TEST(a_program_runs_block_by_block_and_stops_at_a_bad_one) {
  Machine machine;
  auto x = machine.zeros<float>(3, 2), y = machine.zeros<float>(3, 2);
  struct {
    fill_args one, two;
  } program{{{op_number("fill"), sizeof(fill_args)}, x.slot, 1.0}, {{op_number("fill"), sizeof(fill_args)}, y.slot, 2.0}};
  succeed(gust_run(machine.context, &program, sizeof program));
  GUST_CHECK(x.data[5] == 1 && y.data[5] == 2);
  program.one.value = 7;
  program.two.header.size = 12;
  GUST_CHECK(gust_run(machine.context, &program, sizeof program) == GUST_EINVAL);
  GUST_CHECK(x.data[5] == 7 && y.data[5] == 2);
  GUST_CHECK(gust_run(machine.context, &program, 5) == GUST_EINVAL);
  program.one.header.op = kNumOps;
  GUST_CHECK(gust_run(machine.context, &program, sizeof program) == GUST_EINVAL);
  GUST_CHECK(gust_run(0, &program, sizeof program) == GUST_EINVAL);
}

GUST_TEST(a_bound_slot_follows_its_memory) {
  Machine machine;
  auto x = machine.zeros<float>(3, 2);
  std::vector<float> other(8, 0.0f);
  succeed(gust_tensor_rebind(machine.context, x.slot, 4, 2, reinterpret_cast<int64_t>(other.data())));
  GUST_RUN(machine, fill, x.slot, 3.0);
  GUST_CHECK(x.data[0] == 0 && other[7] == 3);
}
