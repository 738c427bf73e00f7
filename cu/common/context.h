// The context: arenas of tensors addressed by slot, the step block and scratch memory for kernels, all on one device.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "device.h"
#include "dtype.h"
#include "rng.h"
#include "status.h"

namespace gust {

/** What a slot holds: a row-major rows x cols array somewhere in memory (1-d tensors have cols = 1). */
struct Slot {
  char* data = nullptr;
  int64_t rows = 0, cols = 0;
  int32_t dtype = 0;
  int64_t owned = -1;     // arena 0 only: bytes to free with the slot, -1 where the memory is somebody else's
  int64_t copied = -1;    // bytes that there is room for where the tensor is the device's copy of bound memory
  bool bound = false;     // to memory that somebody else gave
  bool live = false;

  int64_t size() const { return rows * cols; }
  template <class T>
  T* as() const { return reinterpret_cast<T*>(data); }
};

/** Bump allocator over large blocks of the device's memory; reset keeps the blocks. */
class Arena {
 public:
  ~Arena();
  char* allocate(int64_t bytes);
  void reset();
  /** How often its memory has changed: addresses of before hold where this is as before. */
  int64_t generation() const { return generation_; }

  std::vector<Slot> slots;

 private:
  struct Block { char* data; int64_t size; };
  std::vector<Block> blocks_;
  size_t block_ = 0;
  int64_t used_ = 0, generation_ = 0;
};

/** When an op ran, in nanoseconds since the profile was started. The ABI hands these words out as they are. */
struct OpTime { int64_t op, start, duration; };

/** The times of ops in the order in which they ran, while a profile is asked for. */
class OpTimes {
 public:
  bool on = false;

  void start();
  /** Nanoseconds since start(). */
  int64_t now() const { return (Clock::now() - origin_).count(); }
  void add(OpTime time) { times_.push_back(time); }
  int32_t take(int32_t capacity, int64_t* out);

 private:
  using Clock = std::chrono::steady_clock;
  static_assert(std::is_same_v<Clock::duration, std::chrono::nanoseconds>);
  Clock::time_point origin_;
  std::vector<OpTime> times_;
  size_t taken_ = 0;
};

/** Slot number = arena * 2^20 + index. */
constexpr int64_t kArenaShift = 20;

class Context {
 public:
  explicit Context(int32_t device);
  ~Context();

  const Slot& slot(int64_t id) const {
    if (id < 0) return absent_;
    size_t arena = static_cast<size_t>(id >> kArenaShift), index = static_cast<size_t>(id & ((1 << kArenaShift) - 1));
    if (arena >= arenas_.size() || !arenas_[arena] || index >= arenas_[arena]->slots.size() ||
        !arenas_[arena]->slots[index].live)
      fail(GUST_EINVAL, "slot %lld holds no tensor (freed with its scope?)", static_cast<long long>(id));
    return arenas_[arena]->slots[index];
  }

  uint64_t step_u64(int64_t index) const { return step_[index]; }
  double step_f64(int64_t index) const {
    double value;
    __builtin_memcpy(&value, &step_[index], 8);
    return value;
  }
  /** The random stream of an op: seed, epoch and step come from the step block's first words. */
  Random random(int64_t stream, int64_t layer) const {
    return Random(step_[0], static_cast<uint32_t>(stream), static_cast<uint32_t>(step_[1]),
                  static_cast<uint32_t>(step_[2]), static_cast<uint32_t>(layer));
  }

  /** Scratch memory of an op: uninitialised, 64-byte aligned, gone when the op returns. */
  template <class T>
  T* scratch(int64_t count) {
    return reinterpret_cast<T*>(scratch_[device::queue()].allocate(count * static_cast<int64_t>(sizeof(T))));
  }

  int64_t scratch_generation() const { return scratch_[device::queue()].generation(); }

  int64_t create_arena();
  void reset_arena(int64_t arena);
  void destroy_arena(int64_t arena);
  int64_t create_tensor(int64_t arena, int32_t dtype, int64_t rows, int64_t cols, bool zero);
  int64_t bind_tensor(int64_t arena, int32_t dtype, int64_t rows, int64_t cols, char* data);
  void rebind_tensor(int64_t slot, int64_t rows, int64_t cols, char* data);
  void destroy_tensor(int64_t slot);
  void run(const char* program, int64_t size);
  /** Run the ops of a program one by one. */
  void interpret(const char* program, int64_t size);
  uint64_t* step_block() { return step_.data(); }
  OpTimes& op_times() { return op_times_; }

  /** What the device keeps of a context. */
  void* local = nullptr;

 private:
  Arena& arena(int64_t id);
  int64_t add_slot(int64_t arena, Slot slot);
  /** Let a slot of arena `id` hold memory of somebody else, or a copy where the device cannot use it in place. */
  void attach(int64_t id, Slot& slot, char* data);
  void release(Slot& slot) noexcept;

  std::vector<std::unique_ptr<Arena>> arenas_;
  std::vector<int64_t> free_slots_;  // of arena 0
  std::vector<uint64_t> step_;
  Arena scratch_[device::kQueues];  // ops of one queue follow each other
  OpTimes op_times_;
  Slot absent_;
};

/** Memory of the host: 64-byte aligned, accounted and on huge pages where large (cu/host/memory.cpp). */
char* allocate(int64_t size, bool zero);
void deallocate(char* data, int64_t size) noexcept;
/** Bytes of allocate() that are not freed yet. */
int64_t held_bytes() noexcept;

}  // namespace gust
