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

// Lets go of the whole pages within [data, data + bytes) of a MappedFile: they are read again from the file
// when they are wanted. Nothing else may be passed: other memory would be lost.
void release_mapped_pages(const void* data, std::size_t bytes);

}  // namespace pyconv
