// The CPU as the device: tensors are memory of the host, and a run has ended when it returns.
#include "../common/device.h"

#include <cstring>

#include "../common/context.h"
#include "../common/isa.h"

extern "C" {
__attribute__((visibility("hidden"))) extern const gust::OpFunction gust_op_table_portable[];
__attribute__((visibility("hidden"))) extern const gust::OpFunction gust_op_table_avx2[];
__attribute__((visibility("hidden"))) extern const gust::OpFunction gust_op_table_avx512[];
}

namespace gust::device {

void open(int32_t number) {
  if (number != 0) fail(GUST_EINVAL, "device %d: the CPU library has device 0 only", number);
}

std::string describe() { return "\"device\":\"cpu\""; }

char* allocate(int64_t size, bool zero) { return gust::allocate(size, zero); }
void deallocate(char* data, int64_t size) noexcept { gust::deallocate(data, size); }
void clear(char* data, int64_t size) { std::memset(data, 0, static_cast<size_t>(size)); }
void copy(void* to, const void* from, int64_t size) {
  if (size > 0) std::memmove(to, from, static_cast<size_t>(size));
}
void upload(char* to, const char* from, int64_t size) { copy(to, from, size); }
bool reaches(const void*) { return true; }
void reach(char*, int64_t) {}
void forget(char*) noexcept {}
void memory(int64_t* out) { out[0] = out[1] = 0; }

const OpFunction* op_table() {
  switch (current_isa()) {
    case Isa::kAvx512: return gust_op_table_avx512;
    case Isa::kAvx2: return gust_op_table_avx2;
    case Isa::kPortable: break;
  }
  return gust_op_table_portable;
}

bool run_again(Context&, const char*, int64_t) { return false; }
void begin(Context&) {}
void use_queue(int32_t) {}
int32_t queue() { return 0; }
void join_queues() {}
void set_fast(bool) {}
void finish() {}
void end(Context&) noexcept {}

}  // namespace gust::device
