// Where a reader's bytes come from: a regular file is mapped; a pipe is spooled; gzip and zstd are unpacked into a
// spool. A spool is memory up to a bound and an unlinked temporary file past that, so that a large input on a pipe
// costs no memory either.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "../include/gust.h"
#include "../common/context.h"
#include "files.h"

namespace gust {
namespace {

constexpr int64_t kPiece = int64_t{1} << 20;

/** A stream that unpacks to more than this, and to so many times its size, is refused: it would fill the disk. */
constexpr int64_t kMostUnpacked = int64_t{1} << 28, kMostTimes = 200;

enum Compression : int64_t { kPlain = 0, kGzip = 1, kZstd = 2 };

/** Bytes whose number is known only at their end. */
class Spool {
 public:
  explicit Spool(int64_t most_in_memory) : most_in_memory_(most_in_memory) {}
  ~Spool() {
    if (data_) deallocate(data_, capacity_);
    if (fd_ >= 0) close(fd_);
  }
  int64_t size() const { return size_; }
  void append(const char* bytes, int64_t count) {
    if (count == 0) return;
    if (fd_ < 0 && size_ + count > most_in_memory_) {
      folder_ = temporary_folder();
      fd_ = unnamed_file(folder_);
      put(data_, size_, 0);
      deallocate(data_, capacity_);
      data_ = nullptr;
    }
    if (fd_ >= 0) {
      put(bytes, count, size_);
    } else {
      if (size_ + count > capacity_) grow(size_ + count);
      std::memcpy(data_ + size_, bytes, static_cast<size_t>(count));
    }
    size_ += count;
  }
  std::unique_ptr<Mapping> finish() {
    if (fd_ >= 0) return std::unique_ptr<Mapping>(map_fd(fd_, 0, size_));
    auto mapping = std::make_unique<Mapping>();
    mapping->base = data_;
    mapping->data = data_;
    mapping->length = capacity_;
    mapping->size = size_;
    mapping->allocated = true;
    data_ = nullptr;
    return mapping;
  }

 private:
  void grow(int64_t wanted) {
    int64_t capacity = std::max(wanted, std::min(most_in_memory_, std::max(capacity_ * 2, kPiece)));
    char* data = allocate(capacity, false);
    if (size_ > 0) std::memcpy(data, data_, static_cast<size_t>(size_));
    deallocate(data_, capacity_);
    data_ = data;
    capacity_ = capacity;
  }
  void put(const char* bytes, int64_t count, int64_t before) {
    try {
      write_fully(fd_, bytes, count, before);
    } catch (const Error& e) {
      fail(e.code(), "temporary file in \"%s\" (TMPDIR names another folder): %s", folder_.c_str(), e.what());
    }
  }
  int64_t most_in_memory_;
  int fd_ = -1;
  std::string folder_;
  char* data_ = nullptr;
  int64_t capacity_ = 0, size_ = 0;
};

void need_ratio(int64_t unpacked, const Mapping& from, const char* tool) {
  if (unpacked <= kMostUnpacked || unpacked / kMostTimes <= from.size) return;
  fail(GUST_EDATA, "its %lld bytes unpack to more than %lld times as many, expected fewer: %s -dc FILE | gust import - reads it nevertheless",
       static_cast<long long>(from.size), static_cast<long long>(kMostTimes), tool);
}

std::unique_ptr<Mapping> gunzip(const Mapping& from, int64_t most_in_memory) {
  Spool spool(most_in_memory);
  std::vector<char> piece(kPiece);
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) throw std::bad_alloc();
  std::unique_ptr<z_stream, int (*)(z_stream*)> guard_end(&stream, inflateEnd);
  int64_t at = 0;
  for (;;) {
    if (stream.avail_in == 0 && at < from.size) {
      auto take = std::min<int64_t>(from.size - at, int64_t{1} << 30);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data + at));
      stream.avail_in = static_cast<uInt>(take);
      at += take;
    }
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    int status = inflate(&stream, Z_NO_FLUSH);
    spool.append(piece.data(), static_cast<int64_t>(piece.size() - stream.avail_out));
    need_ratio(spool.size(), from, "gzip");
    int64_t read = at - stream.avail_in;
    if (status == Z_STREAM_END) {
      // Members may follow one another (concatenated .gz files, bgzip's); zeros behind the last one are padding.
      if (read + 2 <= from.size && static_cast<unsigned char>(from.data[read]) == 0x1f &&
          static_cast<unsigned char>(from.data[read + 1]) == 0x8b) {
        inflateReset(&stream);
        continue;
      }
      while (read < from.size && from.data[read] == 0) ++read;
      if (read < from.size)
        fail(GUST_EDATA, "broken gzip stream at byte %lld: neither a further member nor zeros behind the last one",
             static_cast<long long>(read));
      break;
    }
    if (status == Z_BUF_ERROR && stream.avail_in == 0 && at == from.size)
      fail(GUST_EDATA, "the gzip stream ends early, after %lld bytes: the file is truncated",
           static_cast<long long>(from.size));
    if (status != Z_OK && status != Z_BUF_ERROR)
      fail(GUST_EDATA, "broken gzip stream at byte %lld: %s", static_cast<long long>(read),
           stream.msg ? stream.msg : "illegal data");
  }
  return spool.finish();
}

std::unique_ptr<Mapping> unzstd(const Mapping& from, int64_t most_in_memory) {
  Spool spool(most_in_memory);
  std::vector<char> piece(ZSTD_DStreamOutSize());
  std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(), ZSTD_freeDStream);
  if (!stream) throw std::bad_alloc();
  ZSTD_initDStream(stream.get());
  ZSTD_inBuffer in{from.data, static_cast<size_t>(from.size), 0};
  size_t left = 1;
  while (true) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    left = ZSTD_decompressStream(stream.get(), &out, &in);
    if (ZSTD_isError(left))
      fail(GUST_EDATA, "broken zstd stream near byte %lld: %s", static_cast<long long>(in.pos), ZSTD_getErrorName(left));
    spool.append(piece.data(), static_cast<int64_t>(out.pos));
    need_ratio(spool.size(), from, "zstd");
    if (in.pos == in.size && out.pos < out.size) break;
  }
  if (left != 0)
    fail(GUST_EDATA, "the zstd stream ends early, after %lld bytes: the file is truncated",
         static_cast<long long>(from.size));
  return spool.finish();
}

Compression compression_of(const Mapping& source) {
  auto byte = [&](int64_t i) { return i < source.size ? static_cast<unsigned char>(source.data[i]) : 0u; };
  if (byte(0) == 0x1f && byte(1) == 0x8b) return kGzip;
  if (byte(0) == 0x28 && byte(1) == 0xb5 && byte(2) == 0x2f && byte(3) == 0xfd) return kZstd;
  return kPlain;
}

std::unique_ptr<Mapping> read_input(int fd, int64_t most_in_memory) {
  struct stat about{};
  if (fstat(fd, &about) != 0) fail_errno("fstat");
  if (S_ISDIR(about.st_mode)) fail(GUST_EIO, "it is a folder, expected a file");
  // A file that somebody has begun to read (`{ read header; gust import -; } < file`) is read on from there.
  if (S_ISREG(about.st_mode) && lseek(fd, 0, SEEK_CUR) == 0) {
    std::unique_ptr<Mapping> mapping(map_fd(fd, 0, about.st_size));
    if (mapping->base) madvise(mapping->base, static_cast<size_t>(mapping->length), MADV_WILLNEED);
    return mapping;
  }
  // Devices give bytes without end, apart from a terminal and the null device.
  const bool is_null = S_ISCHR(about.st_mode) && about.st_rdev == makedev(1, 3);
  if (S_ISBLK(about.st_mode) || (S_ISCHR(about.st_mode) && !is_null && !isatty(fd)))
    fail(GUST_EIO, "it is a device, expected a file or a pipe");
  Spool spool(most_in_memory);
  std::vector<char> piece(kPiece);
  for (int64_t n; (n = read_fully(fd, piece.data(), kPiece)) > 0;) spool.append(piece.data(), n);
  return spool.finish();
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_source_open(const char* path, int64_t most_in_memory, int64_t* out) {
  return guard([&] {
    Descriptor file(*path ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO));
    if (file.get() < 0) fail_errno("open");
    std::unique_ptr<Mapping> source = read_input(file.get(), most_in_memory);
    Compression compression = compression_of(*source);
    if (compression == kGzip) source = gunzip(*source, most_in_memory);
    if (compression == kZstd) source = unzstd(*source, most_in_memory);
    out[1] = reinterpret_cast<int64_t>(source->data);
    out[2] = source->size;
    out[3] = compression;
    out[0] = reinterpret_cast<int64_t>(source.release());
  });
}

int32_t gust_text_shape(int64_t address, int64_t size, int64_t most_lines, int64_t* out) {
  return guard([&] {
    const char *p = reinterpret_cast<const char*>(address), *end = p + size;
    int64_t lines = 0, words = 0, blanks = 0;
    while (p < end && lines <= most_lines) {
      const char* stop = static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(end - p)));
      if (!stop) stop = end;
      if (*p != '%') {
        ++lines;
        bool in_word = false, any = false;
        for (const char* q = p; q < stop; ++q) {
          bool space = *q == ' ' || *q == '\t' || *q == '\r';
          words += !space && !in_word;
          any |= !space;
          in_word = !space;
        }
        blanks = any ? 0 : blanks + 1;
      }
      p = stop + 1;
    }
    out[0] = lines;
    out[1] = words;
    out[2] = blanks;  // blank lines at the end
  });
}
