// Rows of batches read ahead from the pages that pack.cpp laid out, by threads that wait for the disk so that training
// does not.
//
// A batch is cut into pieces: some hot rows (copied from memory), some shared rows (the pages they are on), a range of the
// batch's own pages. Threads take pieces in order, read them into a buffer of their own and copy the rows to their
// positions in the batch. So pieces of one batch, and of the batches that were begun behind it, are read while others are
// copied and while the caller trains. A page that a batch needs is read once for it.
//
// Reads go past the page cache (O_DIRECT) into buffers that begin at pages: nothing is copied twice and nothing that
// somebody else has cached is driven out. Where a file system refuses that, they go through the cache and are dropped from
// it at once. Memory: kThreads buffers of kPieceBytes, more where a single row is larger.
// Blocking reads on a few threads, rather than a ring of requests: the same queue on the disk, and a thread that waits
// costs nothing.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "../include/gust.h"
#include "files.h"

using namespace gust;

namespace {

constexpr int kThreads = 8;
constexpr int64_t kPieceBytes = int64_t{256} << 10;
constexpr int64_t kHotRows = 4096;  // per piece

using Clock = std::chrono::steady_clock;
int64_t nanoseconds(Clock::duration d) { return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count(); }
long long ll(int64_t x) { return x; }

enum How : int64_t { kDirect = 0, kCached = 1, kMapped = 2 };

struct FreeDeleter {
  void operator()(char* data) const { std::free(data); }
};

/** A buffer of whole pages that grows. */
class PageBuffer {
 public:
  char* room(int64_t size) {
    if (size > size_) {
      data_.reset(static_cast<char*>(std::aligned_alloc(GUST_PAGE, static_cast<size_t>(size))));
      if (!data_) throw std::bad_alloc();
      size_ = size;
    }
    return data_.get();
  }

 private:
  std::unique_ptr<char, FreeDeleter> data_;
  int64_t size_ = 0;
};

/** Where pages are. */
class Pages {
 public:
  Pages(const char* path, const char* base, int64_t size, int64_t offset, int64_t count, bool direct)
      : base_(base), offset_(offset), count_(count) {
    if (!*path) return;
    how_ = kDirect;
    // A page of the header tells whether the file is still the one that is mapped.
    PageBuffer buffer;
    char* page = buffer.room(GUST_PAGE);
    const int64_t head = std::min<int64_t>(GUST_PAGE, size);
    if (!direct || !opens(path, O_DIRECT) || pread(fd_, page, GUST_PAGE, 0) != head) {
      how_ = kCached;
      if (!opens(path, 0)) fail_errno("open");
      iovec whole{page, static_cast<size_t>(head)};
      read_vectors(fd_, &whole, 1, 0);  // what is missing at the end, the size below tells
    }
    struct stat info{};
    if (fstat(fd_, &info) != 0) fail_errno("fstat");
    if (info.st_size != size || std::memcmp(page, base, static_cast<size_t>(head)) != 0)
      fail(GUST_EDATA, "\"%s\" is another file than the one that was opened", path);
  }
  ~Pages() {
    if (fd_ >= 0) close(fd_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  How how() const { return how_; }

  /** Pages first .. first + count into a buffer, or where they are mapped. */
  const char* read(PageBuffer& buffer, int64_t first, int64_t count) const {
    if (first < 0 || count < 0 || first > count_ - count)
      fail(GUST_EDATA, "pages %lld .. %lld of %lld", ll(first), ll(first + count), ll(count_));
    const int64_t start = offset_ + first * GUST_PAGE, size = count * GUST_PAGE;
    if (how_ == kMapped) return base_ + start;
    char* data = buffer.room(size);
    iovec whole{data, static_cast<size_t>(size)};
    if (const int64_t got = read_vectors(fd_, &whole, 1, start); got < size)
      fail(GUST_EEOF, "the file ends at byte %lld, expected pages up to byte %lld", ll(start + got), ll(start + size));
    if (how_ == kCached) posix_fadvise(fd_, start, size, POSIX_FADV_DONTNEED);
    return data;
  }

 private:
  bool opens(const char* path, int flags) {
    if (fd_ >= 0) close(fd_);
    fd_ = open(path, O_RDONLY | O_CLOEXEC | flags);
    return fd_ >= 0;
  }

  const char* base_;
  int64_t offset_, count_;
  int fd_ = -1;
  How how_ = kMapped;
};

struct Batch {
  int64_t hot, shared, packed;
  const int32_t *pos, *loc;
  int64_t shared_page, shared_pages, packed_page;
  char* to;
  int64_t left = 0;  // pieces that are not done
  int64_t pages = 0;
  std::exception_ptr error{};

  int64_t size() const { return hot + shared + packed; }
};

enum class Kind { kHot, kShared, kPacked };

/** Rows begin .. end of the batch's hot or shared ones; or pages begin .. end of its own. */
struct Piece {
  Batch* batch;
  Kind kind;
  int64_t begin, end;
};

class Reader {
 public:
  Reader(const char* path, const char* base, int64_t size, int64_t offset, int64_t pages, int64_t row_bytes,
         const char* hot, int64_t hot_rows, bool direct)
      : pages_(path, base, size, offset, pages, direct), row_bytes_(row_bytes), hot_(hot), hot_rows_(hot_rows) {
    threads_.reserve(kThreads);
    try {
      for (int t = 0; t < kThreads; ++t) threads_.emplace_back([this] { work(); });
    } catch (const std::exception&) {  // fewer do the same work
      if (threads_.empty()) throw;
    }
  }
  ~Reader() {
    {
      std::lock_guard<std::mutex> hold(lock_);
      stopped_ = true;
      pieces_.clear();
    }
    ready_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  How how() const { return pages_.how(); }

  void start(const int64_t* counts, const int32_t* pos, const int32_t* loc, int64_t shared_page, int64_t shared_pages,
             int64_t packed_page, char* to) {
    auto batch = std::make_unique<Batch>(
        Batch{counts[0], counts[1], counts[2], pos, loc, shared_page, shared_pages, packed_page, to});
    check(*batch);
    std::vector<Piece> pieces = pieces_of(*batch);
    batch->left = static_cast<int64_t>(pieces.size());
    {
      std::lock_guard<std::mutex> hold(lock_);
      batches_.push_back(std::move(batch));
      pieces_.insert(pieces_.end(), pieces.begin(), pieces.end());
    }
    ready_.notify_all();
  }

  void wait(int64_t* out) {
    const Clock::time_point before = Clock::now();
    std::unique_lock<std::mutex> hold(lock_);
    if (batches_.empty()) fail(GUST_EINVAL, "no batch was begun");
    done_.wait(hold, [&] { return batches_.front()->left == 0; });
    std::unique_ptr<Batch> batch = std::move(batches_.front());
    batches_.pop_front();
    out[0] = batch->pages * GUST_PAGE;
    out[1] = batch->pages;
    out[2] = nanoseconds(Clock::now() - before);
    out[3] = nanoseconds(busy_ + (active_ > 0 ? Clock::now() - since_ : Clock::duration::zero()));
    if (batch->error) std::rethrow_exception(batch->error);
  }

 private:
  int64_t byte_of(int64_t slot) const {  // of a shared row, from the first page of its segment
    if (row_bytes_ > GUST_PAGE) return slot * ((row_bytes_ + GUST_PAGE - 1) / GUST_PAGE) * GUST_PAGE;
    const int64_t per_page = GUST_PAGE / row_bytes_;
    return slot / per_page * GUST_PAGE + slot % per_page * row_bytes_;
  }
  int64_t first_page(int64_t slot) const { return byte_of(slot) / GUST_PAGE; }
  int64_t last_page(int64_t slot) const { return (byte_of(slot) + row_bytes_ - 1) / GUST_PAGE; }

  /** What a file says of a batch leads neither outside of its rows nor of its pages. */
  void check(const Batch& b) const {
    if (b.hot < 0 || b.shared < 0 || b.packed < 0)
      fail(GUST_EDATA, "a batch of %lld, %lld and %lld rows", ll(b.hot), ll(b.shared), ll(b.packed));
    const int64_t n = b.size();
    int64_t bad = 0;
    for (int64_t i = 0; i < n; ++i) bad += static_cast<uint32_t>(b.pos[i]) >= static_cast<uint64_t>(n);
    if (bad > 0) fail(GUST_EDATA, "%lld positions lead outside of the %lld rows of the batch", ll(bad), ll(n));
    for (int64_t i = 0; i < b.hot; ++i) bad += static_cast<uint32_t>(b.loc[i]) >= static_cast<uint64_t>(hot_rows_);
    if (bad > 0) fail(GUST_EDATA, "%lld hot rows are outside of the %lld in memory", ll(bad), ll(hot_rows_));
    if (row_bytes_ == 0) return;
    for (int64_t i = 0, before = 0; i < b.shared; ++i) {
      const int64_t slot = b.loc[b.hot + i];
      if (slot < before || last_page(slot) >= b.shared_pages)
        fail(GUST_EDATA, "shared row %lld, expected ascending ones on the %lld pages of the segment", ll(slot),
             ll(b.shared_pages));
      before = slot;
    }
  }

  std::vector<Piece> pieces_of(Batch& b) const {
    std::vector<Piece> pieces;
    if (row_bytes_ == 0) return pieces;
    const int64_t own = (b.packed * row_bytes_ + GUST_PAGE - 1) / GUST_PAGE, step = kPieceBytes / GUST_PAGE;
    for (int64_t p = 0; p < own; p += step) pieces.push_back({&b, Kind::kPacked, p, std::min(own, p + step)});
    // Cut where a page begins: no page is in two pieces.
    for (int64_t begin = 0, i = 0, pages = 0, last = -1; i < b.shared; ++i) {
      const int64_t slot = b.loc[b.hot + i];
      if (first_page(slot) > last && pages >= step) {
        pieces.push_back({&b, Kind::kShared, begin, i});
        begin = i;
        pages = 0;
      }
      pages += last_page(slot) - std::max(last, first_page(slot) - 1);
      last = last_page(slot);
      if (i + 1 == b.shared) pieces.push_back({&b, Kind::kShared, begin, b.shared});
    }
    for (int64_t i = 0; i < b.hot; i += kHotRows) pieces.push_back({&b, Kind::kHot, i, std::min(b.hot, i + kHotRows)});
    return pieces;
  }

  char* row_of(const Batch& b, int64_t i) const { return b.to + b.pos[i] * row_bytes_; }

  /** Read and copy; @returns the pages that were read. */
  int64_t run(const Piece& piece, PageBuffer& buffer) const {
    const Batch& b = *piece.batch;
    if (piece.kind == Kind::kHot) {
      for (int64_t i = piece.begin; i < piece.end; ++i)
        std::memcpy(row_of(b, i), hot_ + b.loc[i] * row_bytes_, static_cast<size_t>(row_bytes_));
      return 0;
    }
    if (piece.kind == Kind::kPacked) {
      const char* data = pages_.read(buffer, b.packed_page + piece.begin, piece.end - piece.begin);
      // Rows follow each other without regard to pages: the ends of a piece may be parts of rows.
      const int64_t begin = piece.begin * GUST_PAGE, end = std::min(piece.end * GUST_PAGE, b.packed * row_bytes_);
      for (int64_t at = begin; at < end;) {
        const int64_t row = at / row_bytes_, inside = at - row * row_bytes_;
        const int64_t size = std::min(row_bytes_ - inside, end - at);
        std::memcpy(row_of(b, b.hot + b.shared + row) + inside, data + (at - begin), static_cast<size_t>(size));
        at += size;
      }
      return piece.end - piece.begin;
    }
    int64_t read = 0;
    for (int64_t i = piece.begin; i < piece.end;) {
      const int64_t from = first_page(b.loc[b.hot + i]);
      int64_t to = last_page(b.loc[b.hot + i]), end = i + 1;
      while (end < piece.end && first_page(b.loc[b.hot + end]) <= to + 1) to = last_page(b.loc[b.hot + end++]);
      const char* data = pages_.read(buffer, b.shared_page + from, to - from + 1);
      for (; i < end; ++i) {
        const char* row = data + (byte_of(b.loc[b.hot + i]) - from * GUST_PAGE);
        std::memcpy(row_of(b, b.hot + i), row, static_cast<size_t>(row_bytes_));
      }
      read += to - from + 1;
    }
    return read;
  }

  void work() {
    PageBuffer buffer;
    std::unique_lock<std::mutex> hold(lock_);
    for (;;) {
      ready_.wait(hold, [&] { return stopped_ || !pieces_.empty(); });
      if (stopped_) return;
      const Piece piece = pieces_.front();
      pieces_.pop_front();
      if (active_++ == 0) since_ = Clock::now();
      hold.unlock();
      int64_t pages = 0;
      std::exception_ptr error;
      try {
        pages = run(piece, buffer);
      } catch (...) {
        error = std::current_exception();
      }
      hold.lock();
      if (--active_ == 0) busy_ += Clock::now() - since_;
      piece.batch->pages += pages;
      if (error) piece.batch->error = error;
      if (--piece.batch->left == 0) done_.notify_all();
    }
  }

  const Pages pages_;
  const int64_t row_bytes_;
  const char* hot_;
  const int64_t hot_rows_;
  std::mutex lock_;
  std::condition_variable ready_, done_;
  std::deque<Piece> pieces_;
  std::deque<std::unique_ptr<Batch>> batches_;
  bool stopped_ = false;
  int active_ = 0;
  Clock::time_point since_;
  Clock::duration busy_ = Clock::duration::zero();
  std::vector<std::thread> threads_;
};

Reader& reader_of(int64_t handle) {
  if (!handle) fail(GUST_EINVAL, "no reader");
  return *reinterpret_cast<Reader*>(handle);
}

template <class T>
T* at(int64_t address) {
  return reinterpret_cast<T*>(address);
}

}  // namespace

int32_t gust_reader_create(const char* path, int64_t base, int64_t size, int64_t offset, int64_t pages, int64_t row_bytes,
                           int64_t hot, int64_t hot_rows, int32_t direct, int64_t* out) {
  return guard([&] {
    if (row_bytes < 0 || pages < 0 || offset < 0 || offset % GUST_PAGE != 0 || pages > (size - offset) / GUST_PAGE)
      fail(GUST_EDATA, "%lld pages from byte %lld of a file of %lld bytes", ll(pages), ll(offset), ll(size));
    auto* reader = new Reader(path, at<const char>(base), size, offset, pages, row_bytes, at<const char>(hot), hot_rows,
                              direct != 0);
    out[0] = reinterpret_cast<int64_t>(reader);
    out[1] = reader->how();
  });
}

int32_t gust_reader_destroy(int64_t reader) {
  return guard([&] { delete at<Reader>(reader); });
}

int32_t gust_reader_start(int64_t reader, const int64_t* counts, int64_t pos, int64_t loc, int64_t shared_page,
                          int64_t shared_pages, int64_t packed_page, int64_t to) {
  return guard([&] {
    reader_of(reader).start(counts, at<const int32_t>(pos), at<const int32_t>(loc), shared_page, shared_pages, packed_page,
                            at<char>(to));
  });
}

int32_t gust_reader_wait(int64_t reader, int64_t* out) {
  return guard([&] { reader_of(reader).wait(out); });
}
