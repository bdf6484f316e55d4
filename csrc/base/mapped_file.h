// A file mapped into memory, read-only. Whoever shortens the file meanwhile may kill the process: map only
// what nobody writes to.
#pragma once
#include <cstddef>
#include <string>

namespace pyconv {

class MappedFile {
 public:
  // Throws InvalidArgument "PATH: why" when the file cannot be opened or mapped.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const unsigned char* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  unsigned char* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace pyconv
