// The device that a library is built for: the CPU (cu/host/device.cpp) or an NVIDIA GPU (cu/device/device.cu). Tensors,
// the arenas they come from and the scratch memory of ops are the device's; everything else is memory of the host.
#pragma once

#include <cstdint>
#include <string>

#include "op_table.h"

namespace gust {
class Context;
}

namespace gust::device {

/** Get ready to run on device `number`. GUST_ENOSYS where there is none or no driver for it, GUST_EINVAL past the last. */
void open(int32_t number);
/** Fields of gust_describe() that tell the device, as JSON members. */
std::string describe();

/** Memory of the device, 64-byte aligned. GUST_ENOMEM says what was asked for and what is free. */
char* allocate(int64_t size, bool zero);
void deallocate(char* data, int64_t size) noexcept;
/** Zeros from `data` on, after the ops that were run before. */
void clear(char* data, int64_t size);
/** Copy between addresses of any kind, after the ops that were run before; done when it returns. */
void copy(void* to, const void* from, int64_t size);
/** The same from the host to the device; ops that follow see it, and `from` may change when it returns. */
void upload(char* to, const char* from, int64_t size);
/** Whether ops can use memory where it is; else a tensor bound to it gets a copy. */
bool reaches(const void* data);
/** Let ops use `size` bytes of the host's memory where they are, until forget(). */
void reach(char* data, int64_t size);
void forget(char* data) noexcept;
/** out[0] = bytes of allocate() that are held, out[1] = most ever held; zeros where tensors are memory of the host. */
void memory(int64_t* out);

/** Functions of the op table, by op number. */
const OpFunction* op_table();
/** Run a program that has run before in the same way as one launch; false: the caller runs its ops one by one. */
bool run_again(Context& context, const char* program, int64_t size);
/** Before ops of a context: the step block as it is now is what they see. */
void begin(Context& context);
/** Let ops that follow run in queue 0 (as at first) or 1, side by side with those of the other. */
void use_queue(int32_t queue);
/** The queue in use. */
int32_t queue();
constexpr int32_t kQueues = 2;
/** What is run in the other queue from now on waits for what was run in this one so far. */
void join_queues();
/** Whether products may round their factors (TF32), which is faster. */
void set_fast(bool fast);
/** Wait for everything that was run. GUST_EFAIL if something of it failed. */
void finish();
/** A context ends: what was kept for it goes. */
void end(Context& context) noexcept;

}  // namespace gust::device
