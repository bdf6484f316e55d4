#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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

}  // namespace pyconv
