// A library that makes calls to the system fail, to be preloaded: counts the calls of one kind from the start of main,
// in a process and its children together, and fails the n-th one, or the n-th and all later ones.
//
// GUARDBIT_FAIL_CALLS: the kind, see kKinds. GUARDBIT_FAIL_AT: n, 1 the first; 0: only count. GUARDBIT_FAIL_ON: "yes"
// to fail all later ones too. GUARDBIT_FAIL_COUNT: a file of 8 bytes, which receives the number of calls.
// GUARDBIT_FAIL_PATHS: a file that receives, for every call that came from other kFrames places than all before, its
// number and a hash of the places that is the same in every process, 8 bytes each.
// Frees, unlink and closing itself (a failing close closes, as Linux does) never fail: who cleans up may rely on them.
#include <dirent.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

enum Kind { kAlloc, kOpen, kRead, kWrite, kSync, kClose, kName, kMap, kProcess, kNone };
constexpr const char* kKinds[] = {"alloc", "open", "read", "write", "sync", "close", "name", "map", "process"};
// ESTALE, what NFS says of a file that its server has lost: SQLite takes EIO for a damaged file.
constexpr int kErrors[] = {ENOMEM, EMFILE, ESTALE, ENOSPC, EIO, EIO, ENOSPC, ENOMEM, EAGAIN};

Kind failing = kNone;
unsigned long fail_at = 0;
bool fails_on = false;
std::atomic<unsigned long>* count = nullptr;  // shared with children; null before main
static_assert(std::atomic<unsigned long>::is_always_lock_free);

constexpr int kFrames = 5;
constexpr unsigned long kPlaces = 1 << 18;
std::atomic<unsigned long>* seen = nullptr;  // hashes of the places that calls came from, shared; null: not wanted
int paths = -1;
thread_local bool is_looking = false;  // backtrace() may call what is counted

/// Where the system puts the program and its libraries differs between processes.
unsigned long place_in_module(void* address) {
  Dl_info module{};
  (void)dladdr(address, &module);
  return reinterpret_cast<unsigned long>(address) - reinterpret_cast<unsigned long>(module.dli_fbase);
}

void note_path(unsigned long index) {
  void* frames[kFrames + 2];  // this function and fails() are the first two
  is_looking = true;
  const int number = backtrace(frames, kFrames + 2);
  is_looking = false;
  unsigned long hash = 14695981039346656037u;  // FNV-1a
  for (int i = 2; i < number; ++i) hash = (hash ^ place_in_module(frames[i])) * 1099511628211u;
  for (unsigned long at = hash % kPlaces;; at = (at + 1) % kPlaces) {
    unsigned long none = 0;
    if (seen[at].compare_exchange_strong(none, hash)) break;
    if (none == hash) return;
  }
  const unsigned long entry[] = {index, hash};
  syscall(SYS_write, paths, entry, sizeof entry);
}

/// Counts a call; whether it must fail, with errno set.
bool fails(Kind kind) {
  if (count == nullptr || kind != failing || is_looking) return false;
  const unsigned long index = ++*count;
  if (seen != nullptr) note_path(index);
  if (fail_at == 0 || index < fail_at || (index > fail_at && !fails_on)) return false;
  errno = kErrors[kind];
  return true;
}

void* shared_bytes(std::size_t size, int descriptor) {
  const int flags = descriptor < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
  const long address = syscall(SYS_mmap, nullptr, size, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  return address == -1 ? nullptr : reinterpret_cast<void*>(address);
}

void arm() {
  const char* kind = std::getenv("GUARDBIT_FAIL_CALLS");
  const char* file = std::getenv("GUARDBIT_FAIL_COUNT");
  if (kind == nullptr || file == nullptr) return;
  for (int i = 0; i < kNone; ++i) {
    if (std::strcmp(kind, kKinds[i]) == 0) failing = static_cast<Kind>(i);
  }
  const char* at = std::getenv("GUARDBIT_FAIL_AT");
  fail_at = at == nullptr ? 0 : std::strtoul(at, nullptr, 10);
  fails_on = std::getenv("GUARDBIT_FAIL_ON") != nullptr;
  const int descriptor = static_cast<int>(syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC));
  void* const counter = descriptor < 0 ? nullptr : shared_bytes(sizeof *count, descriptor);
  syscall(SYS_close, descriptor);
  if (const char* path_file = std::getenv("GUARDBIT_FAIL_PATHS"); path_file != nullptr) {
    void* first[1];
    (void)backtrace(first, 1);  // loads its library now
    constexpr int kMode = 0600;
    paths =
        static_cast<int>(syscall(SYS_openat, AT_FDCWD, path_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kMode));
    seen = static_cast<std::atomic<unsigned long>*>(shared_bytes(kPlaces * sizeof *seen, -1));
  }
  if (failing == kNone || counter == nullptr) {
    std::fprintf(stderr, "fail_calls: kind '%s' or count file '%s' is of no use\n", kind, file);
    _exit(99);
  }
  count = static_cast<std::atomic<unsigned long>*>(counter);
}

int (*real_main)(int, char**, char**) = nullptr;

int armed_main(int argc, char** argv, char** environment) {
  arm();
  return real_main(argc, argv, environment);
}

}  // namespace

/// The function that this library stands before.
#define REAL(name) (reinterpret_cast<decltype(&name)>(dlsym(RTLD_NEXT, #name)))
#define GUARDED(kind, failure, name, ...) return fails(kind) ? (failure) : REAL(name)(__VA_ARGS__)

extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) { return fails(kAlloc) ? nullptr : __libc_malloc(size); }
void* calloc(size_t number, size_t size) { return fails(kAlloc) ? nullptr : __libc_calloc(number, size); }
void* realloc(void* old, size_t size) { return fails(kAlloc) ? nullptr : __libc_realloc(old, size); }
void* memalign(size_t alignment, size_t size) { return fails(kAlloc) ? nullptr : __libc_memalign(alignment, size); }
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void** result, size_t alignment, size_t size) {
  *result = memalign(alignment, size);
  return *result == nullptr ? ENOMEM : 0;
}

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  GUARDED(kOpen, -1, open, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  GUARDED(kOpen, -1, open64, path, flags, mode);
}
FILE* fopen(const char* path, const char* mode) { GUARDED(kOpen, nullptr, fopen, path, mode); }
FILE* fopen64(const char* path, const char* mode) { GUARDED(kOpen, nullptr, fopen64, path, mode); }
DIR* opendir(const char* path) { GUARDED(kOpen, nullptr, opendir, path); }

ssize_t read(int file, void* data, size_t size) { GUARDED(kRead, -1, read, file, data, size); }
ssize_t pread(int file, void* data, size_t size, off_t at) { GUARDED(kRead, -1, pread, file, data, size, at); }
ssize_t pread64(int file, void* data, size_t size, off64_t at) { GUARDED(kRead, -1, pread64, file, data, size, at); }

ssize_t write(int file, const void* data, size_t size) { GUARDED(kWrite, -1, write, file, data, size); }
ssize_t pwrite(int file, const void* data, size_t size, off_t at) { GUARDED(kWrite, -1, pwrite, file, data, size, at); }
ssize_t pwrite64(int file, const void* data, size_t size, off64_t at) {
  GUARDED(kWrite, -1, pwrite64, file, data, size, at);
}
int ftruncate(int file, off_t size) noexcept { GUARDED(kWrite, -1, ftruncate, file, size); }
int ftruncate64(int file, off64_t size) noexcept { GUARDED(kWrite, -1, ftruncate64, file, size); }
// glibc's streams write past write() above; what fails is the flush of standard output.
int fflush(FILE* stream) {
  if (stream == stdout && fails(kWrite)) return EOF;
  return REAL(fflush)(stream);
}

int fsync(int file) { GUARDED(kSync, -1, fsync, file); }
int fdatasync(int file) { GUARDED(kSync, -1, fdatasync, file); }

int close(int file) {
  const bool must_fail = fails(kClose);
  const int error = errno;
  const int result = REAL(close)(file);
  if (!must_fail) return result;
  errno = error;
  return -1;
}

int rename(const char* from, const char* to) noexcept { GUARDED(kName, -1, rename, from, to); }
int renameat2(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) noexcept {
  GUARDED(kName, -1, renameat2, from_directory, from, to_directory, to, flags);
}
int link(const char* from, const char* to) noexcept { GUARDED(kName, -1, link, from, to); }
int mkdir(const char* path, mode_t mode) noexcept { GUARDED(kName, -1, mkdir, path, mode); }

void* mmap(void* at, size_t size, int protection, int flags, int file, off_t offset) noexcept {
  GUARDED(kMap, MAP_FAILED, mmap, at, size, protection, flags, file, offset);
}
void* mmap64(void* at, size_t size, int protection, int flags, int file, off64_t offset) noexcept {
  GUARDED(kMap, MAP_FAILED, mmap64, at, size, protection, flags, file, offset);
}

pid_t fork() noexcept { GUARDED(kProcess, -1, fork); }
int pipe(int ends[2]) noexcept { GUARDED(kProcess, -1, pipe, ends); }
int pipe2(int ends[2], int flags) noexcept { GUARDED(kProcess, -1, pipe2, ends, flags); }
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) noexcept {
  GUARDED(kProcess, EAGAIN, pthread_create, thread, attributes, body, argument);
}

int __libc_start_main(int (*main)(int, char**, char**), int argc, char** argv, void (*init)(), void (*fini)(),
                      void (*rtld_fini)(), void* stack_end) {
  real_main = main;
  return REAL(__libc_start_main)(armed_main, argc, argv, init, fini, rtld_fini, stack_end);
}
}
