// What libFuzzer does, as far as it can be done without it: runs a target on every file of the given folders, then on
// inputs made of them by a few random changes each. No coverage guides it. Options as libFuzzer spells them:
// -max_total_time=SECONDS -seed=N -runs=N (0: the files alone) -artifact_prefix=PATH -max_len=BYTES; others are ignored.
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "fuzz.h"

namespace {

using Bytes = std::vector<uint8_t>;

std::string g_artifact = "./";
Bytes g_input;

/** Keep the input that broke something. */
void keep() {
  std::string path = g_artifact + "crash-" + std::to_string(getpid());
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(g_input.data()), static_cast<std::streamsize>(g_input.size()));
  std::fprintf(stderr, "the input is kept in %s\n", path.c_str());
}

void on_signal(int number) {
  if (number == SIGALRM) std::fprintf(stderr, "an input took more than a second\n");
  keep();
  signal(SIGABRT, SIG_DFL);
  std::abort();
}

void read_folder(const std::string& path, std::vector<Bytes>& seeds, size_t most) {
  DIR* folder = opendir(path.c_str());
  if (!folder) return;
  while (dirent* entry = readdir(folder)) {
    std::string name = path + "/" + entry->d_name;
    struct stat about{};
    if (entry->d_name[0] == '.' || stat(name.c_str(), &about) != 0) continue;
    if (S_ISDIR(about.st_mode)) {
      read_folder(name, seeds, most);
      continue;
    }
    std::ifstream file(name, std::ios::binary);
    Bytes bytes(std::istreambuf_iterator<char>(file), {});
    if (bytes.size() > most) bytes.resize(most);
    seeds.push_back(std::move(bytes));
  }
  closedir(folder);
}

/** One to eight changes: bits, bytes, pieces left out, doubled, or taken from another seed. */
void change(Bytes& bytes, const std::vector<Bytes>& seeds, std::mt19937_64& random, size_t most) {
  auto below = [&](size_t n) { return n == 0 ? 0 : static_cast<size_t>(random() % n); };
  static constexpr uint8_t kLikely[] = {0, 1, 0x7f, 0x80, 0xff, '\n', ' ', '\t', '"', ',', '-', '.', '0', '9', 'e', '#', '%'};
  for (size_t left = 1 + below(8); left > 0; --left) {
    size_t at = below(bytes.size() + 1), length = 1 + below(16);
    auto here = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    auto last = bytes.begin() + static_cast<std::ptrdiff_t>(std::min(at + length, bytes.size()));
    switch (below(6)) {
      case 0: if (at < bytes.size()) bytes[at] ^= static_cast<uint8_t>(1u << below(8)); break;
      case 1: if (at < bytes.size()) bytes[at] = kLikely[below(sizeof kLikely)]; break;
      case 2: bytes.insert(here, length, kLikely[below(sizeof kLikely)]); break;
      case 3: bytes.erase(here, last); break;
      case 4: { Bytes piece(here, last); bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), piece.begin(), piece.end()); break; }
      default: {
        const Bytes& other = seeds[below(seeds.size())];
        size_t from = below(other.size() + 1), to = std::min(other.size(), from + below(64));
        bytes.insert(here, other.begin() + static_cast<std::ptrdiff_t>(from), other.begin() + static_cast<std::ptrdiff_t>(to));
      }
    }
  }
  if (bytes.size() > most) bytes.resize(most);
}

}  // namespace

int main(int argc, char** argv) {
  long long seconds = 0, runs = -1, seed = 0;
  size_t most = 4096;
  std::vector<Bytes> seeds;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    auto is = [&](const char* name) { return word.rfind(name, 0) == 0; };
    std::string value = word.substr(word.find('=') + 1);
    if (is("-max_total_time=")) seconds = std::stoll(value);
    else if (is("-runs=")) runs = std::stoll(value);
    else if (is("-seed=")) seed = std::stoll(value);
    else if (is("-max_len=")) most = static_cast<size_t>(std::stoll(value));
    else if (is("-artifact_prefix=")) g_artifact = value;
    else if (!is("-")) read_folder(word, seeds, most);
  }
  seeds.push_back({});
  for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) signal(number, on_signal);
  auto run = [&] {
    alarm(2);
    LLVMFuzzerTestOneInput(g_input.data(), g_input.size());
  };
  long long done = 0;
  for (const Bytes& bytes : seeds) {
    g_input = bytes;
    run();
    ++done;
  }
  std::mt19937_64 random(static_cast<uint64_t>(seed));
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while ((runs < 0 || done < runs) && (seconds == 0 || std::chrono::steady_clock::now() < end)) {
    g_input = seeds[random() % seeds.size()];
    change(g_input, seeds, random, most);
    run();
    ++done;
  }
  std::fprintf(stderr, "stat::number_of_executed_units: %lld\n", done);
}
