#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/status.h"

namespace pyconv {

MappedFile::MappedFile(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw InvalidArgument(path + ": " + std::strerror(errno));
  struct stat status;
  std::string problem;
  if (::fstat(file, &status) != 0) {
    problem = std::strerror(errno);
  } else if (!S_ISREG(status.st_mode)) {
    problem = "expected a regular file";
  } else if (status.st_size > 0) {
    bytes_ = static_cast<std::size_t>(status.st_size);
    void* mapped = ::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED)
      problem = std::strerror(errno);
    else
      data_ = static_cast<unsigned char*>(mapped);
  }
  ::close(file);
  if (!problem.empty()) throw InvalidArgument(path + ": " + problem);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, bytes_);
}

void release_mapped_pages(const void* data, std::size_t bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t first = (begin + page - 1) / page * page, last = (begin + bytes) / page * page;
  if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace pyconv
