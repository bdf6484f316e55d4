// Preloaded: counts what a process asks of the allocator, and shows from where; and lets aligned blocks
// end, or begin, at an unmapped page. glibc only.
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);

static atomic_long calls;
static atomic_int stacks;  // that shall still be printed
static _Thread_local int inside;

long allocations(void) { return atomic_load(&calls); }
void print_stacks(int count) { atomic_store(&stacks, count); }

static void note(void) {
  atomic_fetch_add(&calls, 1);
  if (inside || atomic_load(&stacks) <= 0 || atomic_fetch_sub(&stacks, 1) <= 0) return;
  inside = 1;
  void* frames[24];
  backtrace_symbols_fd(frames, backtrace(frames, 24), 2);
  if (write(2, "--\n", 3) < 0) _exit(1);
  inside = 0;
}

void* malloc(size_t size) { return note(), __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return note(), __libc_calloc(count, size); }
void* realloc(void* block, size_t size) { return note(), __libc_realloc(block, size); }
void* memalign(size_t align, size_t size) { return note(), __libc_memalign(align, size); }
void* aligned_alloc(size_t align, size_t size) { return note(), __libc_memalign(align, size); }

// Guarded blocks: posix_memalign's while a side is set.
enum { kNone, kAfter, kBefore, kMost = 8192 };
static int side = kNone;
static struct { void* block; char* pages; size_t bytes; } guarded[kMost];
static atomic_int guards;  // slots in use or used before
static atomic_flag lock = ATOMIC_FLAG_INIT;

void guard(int where) { side = where; }

static void* map(size_t bytes, int protection) {
  return (void*)syscall(SYS_mmap, NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, (off_t)0);
}

static void* guarded_block(size_t size) {
  const size_t page = 4096, inner = (size + page - 1) / page * page;
  char* pages = map(inner + page, PROT_READ | PROT_WRITE);
  if (pages == MAP_FAILED) return NULL;
  mprotect(side == kAfter ? pages + inner : pages, page, PROT_NONE);
  void* block = side == kAfter ? pages + inner - size : pages + page;
  while (atomic_flag_test_and_set(&lock)) {}
  int slot = 0;
  while (slot < kMost && guarded[slot].block) ++slot;
  if (slot == kMost) _exit(1);
  guarded[slot].block = block, guarded[slot].pages = pages, guarded[slot].bytes = inner + page;
  if (slot >= atomic_load(&guards)) atomic_store(&guards, slot + 1);
  atomic_flag_clear(&lock);
  return block;
}

void free(void* block) {
  if (!block) return;
  if (atomic_load(&guards) == 0) {
    __libc_free(block);
    return;
  }
  while (atomic_flag_test_and_set(&lock)) {}
  for (int i = 0; i < atomic_load(&guards); ++i)
    if (guarded[i].block == block) {
      munmap(guarded[i].pages, guarded[i].bytes);
      guarded[i].block = NULL;
      atomic_flag_clear(&lock);
      return;
    }
  atomic_flag_clear(&lock);
  __libc_free(block);
}

int posix_memalign(void** block, size_t align, size_t size) {
  note();
  void* made = side != kNone ? guarded_block(size) : __libc_memalign(align, size);
  if (!made) return ENOMEM;
  *block = made;
  return 0;
}

void* mmap(void* at, size_t size, int protection, int flags, int file, off_t offset) {
  note();
  return (void*)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}
