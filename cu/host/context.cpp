// Contexts, arenas and slots, and the interpreter of programs.
#include "../include/gust.h"
#include "../common/context.h"

#include <cstring>

#include "../common/device.h"
#include "ops.h"  // generated from ffi/ops.ts

namespace gust {
namespace {

constexpr int64_t kBlock = int64_t{4} << 20;  // smallest block of an arena
constexpr int64_t kAlign = 64;
/** Most bytes of a tensor: sums of sizes and alignments stay far from overflow. */
constexpr int64_t kMostBytes = int64_t{1} << 62;

int64_t tensor_bytes(int32_t dtype, int64_t rows, int64_t cols) {
  int64_t count, bytes;
  if (rows < 0 || cols < 0 || __builtin_mul_overflow(rows, cols, &count) ||
      __builtin_mul_overflow(count, dtype_size(dtype), &bytes) || bytes > kMostBytes)
    fail(GUST_EINVAL, "tensor of %lld x %lld elements is too large", static_cast<long long>(rows),
         static_cast<long long>(cols));
  return bytes;
}

}  // namespace

Arena::~Arena() {
  for (const Block& block : blocks_) device::deallocate(block.data, block.size);
}

char* Arena::allocate(int64_t bytes) {
  bytes = (std::max<int64_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign;
  while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].size) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    int64_t size = std::max(bytes, kBlock);
    ++generation_;
    blocks_.push_back({device::allocate(size, false), size});
    used_ = 0;
  }
  char* data = blocks_[block_].data + used_;
  used_ += bytes;
  return data;
}

void Arena::reset() {
  slots.clear();
  block_ = 0;
  used_ = 0;
  // One block that fits everything serves the next round without holes.
  if (blocks_.size() > 1) {
    int64_t total = 0;
    ++generation_;
    for (const Block& block : blocks_) total += block.size;
    for (const Block& block : blocks_) device::deallocate(block.data, block.size);
    blocks_.clear();
    try {
      blocks_.push_back({device::allocate(total, false), total});
    } catch (const std::exception&) {
      // What is needed is asked for again, piece by piece.
    }
  }
}

Context::Context(int32_t number) : step_(GUST_STEP_WORDS, 0) {
  device::open(number);
  arenas_.push_back(std::make_unique<Arena>());
}

Context::~Context() {
  device::end(*this);
  for (Slot& slot : arenas_[0]->slots) release(slot);
}

void Context::release(Slot& slot) noexcept {
  if (slot.owned >= 0) device::deallocate(slot.data, slot.owned);
  slot.owned = -1;
}

Arena& Context::arena(int64_t id) {
  if (id < 0 || id >= static_cast<int64_t>(arenas_.size()) || !arenas_[id])
    fail(GUST_EINVAL, "arena %lld does not exist", static_cast<long long>(id));
  return *arenas_[id];
}

int64_t Context::create_arena() {
  for (size_t i = 1; i < arenas_.size(); ++i)
    if (!arenas_[i]) {
      arenas_[i] = std::make_unique<Arena>();
      return static_cast<int64_t>(i);
    }
  arenas_.push_back(std::make_unique<Arena>());
  return static_cast<int64_t>(arenas_.size()) - 1;
}

void Context::reset_arena(int64_t id) {
  if (id == 0) fail(GUST_EINVAL, "arena 0 holds parameters: free its tensors one by one");
  arena(id).reset();
}

void Context::destroy_arena(int64_t id) {
  if (id == 0) fail(GUST_EINVAL, "arena 0 lives as long as its context");
  arena(id);
  arenas_[id].reset();
}

int64_t Context::add_slot(int64_t id, Slot slot) {
  Arena& owner = arena(id);
  slot.live = true;
  if (id == 0 && !free_slots_.empty()) {
    int64_t index = free_slots_.back();
    free_slots_.pop_back();
    owner.slots[index] = slot;
    return index;
  }
  int64_t index = static_cast<int64_t>(owner.slots.size());
  if (index >= int64_t{1} << kArenaShift) fail(GUST_EINVAL, "an arena holds at most 2^20 tensors");
  owner.slots.push_back(slot);
  return id << kArenaShift | index;
}

int64_t Context::create_tensor(int64_t id, int32_t dtype, int64_t rows, int64_t cols, bool zero) {
  const int64_t bytes = tensor_bytes(dtype, rows, cols);
  Arena& owner = arena(id);
  Slot slot;
  slot.data = id == 0 ? device::allocate(bytes, zero) : owner.allocate(bytes);
  if (zero && id != 0) device::clear(slot.data, bytes);
  slot.rows = rows;
  slot.cols = cols;
  slot.dtype = dtype;
  if (id == 0) slot.owned = bytes;
  return add_slot(id, slot);
}

void Context::attach(int64_t id, Slot& slot, char* data) {
  const int64_t bytes = tensor_bytes(slot.dtype, slot.rows, slot.cols);
  slot.bound = true;
  if (bytes == 0 || !data || device::reaches(data)) {
    release(slot);
    slot.copied = -1;
    slot.data = data;
    return;
  }
  if (slot.copied < bytes) {
    release(slot);
    slot.data = id == 0 ? device::allocate(bytes, false) : arena(id).allocate(bytes);
    slot.copied = bytes;
    if (id == 0) slot.owned = bytes;
  }
  device::upload(slot.data, data, bytes);
}

int64_t Context::bind_tensor(int64_t id, int32_t dtype, int64_t rows, int64_t cols, char* data) {
  arena(id);
  Slot slot;
  slot.rows = rows;
  slot.cols = cols;
  slot.dtype = dtype;
  attach(id, slot, data);
  return add_slot(id, slot);
}

void Context::rebind_tensor(int64_t id, int64_t rows, int64_t cols, char* data) {
  Slot& target = const_cast<Slot&>(slot(id));
  if (id < 0 || !target.bound) fail(GUST_EINVAL, "only a bound tensor can be pointed elsewhere");
  tensor_bytes(target.dtype, rows, cols);
  target.rows = rows;
  target.cols = cols;
  attach(id >> kArenaShift, target, data);
}

void Context::destroy_tensor(int64_t id) {
  if (id < 0 || id >> kArenaShift != 0) fail(GUST_EINVAL, "only tensors of arena 0 are freed one by one");
  Slot& target = const_cast<Slot&>(slot(id));
  release(target);
  target = Slot{};
  free_slots_.push_back(id);
}

void OpTimes::start() {
  times_.clear();
  taken_ = 0;
  origin_ = Clock::now();
  on = true;
}

int32_t OpTimes::take(int32_t capacity, int64_t* out) {
  size_t count = std::min(times_.size() - taken_, static_cast<size_t>(std::max(capacity, 0)));
  if (count > 0) std::memcpy(out, times_.data() + taken_, count * sizeof(OpTime));
  taken_ += count;
  if (taken_ == times_.size()) {
    times_.clear();
    taken_ = 0;
  }
  return static_cast<int32_t>(count);
}

void Context::run(const char* program, int64_t size) {
  device::begin(*this);
  if (op_times_.on || !device::run_again(*this, program, size)) interpret(program, size);
}

void Context::interpret(const char* program, int64_t size) {
  const OpFunction* table = device::op_table();
  // One reading of the clock per op: where an op ends the next one starts.
  int64_t start = op_times_.on ? op_times_.now() : 0;
  for (int64_t at = 0; at < size;) {
    OpHeader header;
    if (size - at < static_cast<int64_t>(sizeof header)) fail(GUST_EINVAL, "program ends inside an op");
    std::memcpy(&header, program + at, sizeof header);
    if (header.op < 0 || header.op >= kNumOps || header.size != kOpSizes[header.op] || header.size > size - at)
      fail(GUST_EINVAL, "program holds an illegal op block at byte %lld", static_cast<long long>(at));
    alignas(8) char args[kMaxOpSize];
    std::memcpy(args, program + at, header.size);
    try {
      table[header.op](args, *this);
    } catch (const Error& e) {
      scratch_[device::queue()].reset();
      throw Error(e.code(), std::string(kOpNames[header.op]) + ": " + e.what());
    }
    scratch_[device::queue()].reset();
    if (op_times_.on) {
      device::finish();
      int64_t end = op_times_.now();
      op_times_.add({header.op, start, end - start});
      start = end;
    }
    at += header.size;
  }
}

}  // namespace gust

using namespace gust;

namespace {
Context& context_of(int64_t handle) {
  if (!handle) fail(GUST_EINVAL, "no context");
  return *reinterpret_cast<Context*>(handle);
}
}  // namespace

int32_t gust_context_create(int32_t device, int64_t* out) {
  return guard([&] {
    out[0] = reinterpret_cast<int64_t>(new Context(device));
  });
}

int32_t gust_context_destroy(int64_t context) {
  return guard([&] { delete reinterpret_cast<Context*>(context); });
}

int32_t gust_context_step_block(int64_t context, int64_t* out) {
  return guard([&] { out[0] = reinterpret_cast<int64_t>(context_of(context).step_block()); });
}

int32_t gust_arena_create(int64_t context, int64_t* out) {
  return guard([&] { out[0] = context_of(context).create_arena(); });
}

int32_t gust_arena_reset(int64_t context, int32_t arena) {
  return guard([&] { context_of(context).reset_arena(arena); });
}

int32_t gust_arena_destroy(int64_t context, int32_t arena) {
  return guard([&] { context_of(context).destroy_arena(arena); });
}

int32_t gust_tensor_create(int64_t context, int32_t arena, int32_t dtype, int64_t rows, int64_t cols, int32_t zero,
                           int64_t* out) {
  return guard([&] {
    Context& c = context_of(context);
    out[0] = c.create_tensor(arena, dtype, rows, cols, zero != 0);
    out[1] = reinterpret_cast<int64_t>(c.slot(out[0]).data);
  });
}

int32_t gust_tensor_bind(int64_t context, int32_t arena, int32_t dtype, int64_t rows, int64_t cols, int64_t address,
                         int64_t* out) {
  return guard([&] {
    Context& c = context_of(context);
    out[0] = c.bind_tensor(arena, dtype, rows, cols, reinterpret_cast<char*>(address));
    out[1] = reinterpret_cast<int64_t>(c.slot(out[0]).data);
  });
}

int32_t gust_tensor_rebind(int64_t context, int64_t slot, int64_t rows, int64_t cols, int64_t address) {
  return guard([&] { context_of(context).rebind_tensor(slot, rows, cols, reinterpret_cast<char*>(address)); });
}

int32_t gust_tensor_destroy(int64_t context, int64_t slot) {
  return guard([&] { context_of(context).destroy_tensor(slot); });
}

int32_t gust_run(int64_t context, const void* program, int64_t size) {
  return guard([&] { context_of(context).run(static_cast<const char*>(program), size); });
}

int32_t gust_profile_start(int64_t context) {
  return guard([&] { context_of(context).op_times().start(); });
}

int32_t gust_profile_stop(int64_t context) {
  return guard([&] { context_of(context).op_times().on = false; });
}

int32_t gust_profile_take(int64_t context, int32_t capacity, int64_t* out) {
  int32_t count = 0;
  int32_t status = guard([&] { count = context_of(context).op_times().take(capacity, out); });
  return status < 0 ? status : count;
}
