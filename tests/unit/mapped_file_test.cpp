// Mapped files: the bytes of the file, and an error where another program has cut it off.
#include "sim/base/mapped_file.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

TEST(MappedFileTest, ShowsTheBytes) {
  const tests::TemporaryDirectory directory;
  std::string content(300'000, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 % 251);
  const InputFile file(directory.write("f", content));
  const MappedFile mapping(file);
  for (const auto& [offset, count] :
       {std::pair<std::size_t, std::size_t>{0, 300'000}, {1, 4096}, {131'073, 100'000}, {299'999, 1}, {300'000, 0}}) {
    std::string copy(count, '?');
    mapping.visit(offset, count,
                  [&, &size = count](const unsigned char* bytes) { std::memcpy(copy.data(), bytes, size); });
    EXPECT_EQ(copy, content.substr(offset, count));
  }
}

TEST(MappedFileTest, Gen08FileThatShrinksIsAnErrorWhereverItIsCut) {
  for (const std::uintmax_t rest : {0u, 100u, 4096u, 8192u, 299'999u}) {
    const tests::TemporaryDirectory directory;
    const InputFile file(directory.write("f", std::string(300'000, 'x')));
    const MappedFile mapping(file);
    fs::resize_file(directory / "f", rest);
    int sum = 0;
    const auto read = [&] {
      mapping.visit(0, 300'000, [&](const unsigned char* bytes) {
        for (std::size_t i = 0; i < 300'000; i += 512) sum += bytes[i];
      });
    };
    EXPECT_TRUE(tests::refuses(read, ExitCode::kIo, "became shorter than the 300000 bytes")) << rest;
    EXPECT_TRUE(tests::refuses(read, ExitCode::kIo, "another program is changing it")) << "and again";
  }
}

TEST(MappedFileTest, ErrorsOfTheReaderPassThrough) {
  const tests::TemporaryDirectory directory;
  const InputFile file(directory.write("f", "abc"));
  const MappedFile mapping(file);
  EXPECT_THROW(mapping.visit(0, 3, [](const unsigned char*) { throw std::runtime_error("mine"); }), std::runtime_error);
  EXPECT_THROW(mapping.visit(1, 3, [](const unsigned char*) {}), std::exception) << "beyond the end";
}

}  // namespace
}  // namespace guardbit::sim
