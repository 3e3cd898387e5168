#include "agent/board.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace starling::agent {
namespace {

TEST(Board, NamesItsTypeAsTheDocumentsDo) {
  EXPECT_EQ(device_type_of("Raspberry Pi Zero 2 W Rev 1.0"), "raspberry-pi-zero-2w");
  EXPECT_EQ(device_type_of("Raspberry Pi 4 Model B Rev 1.4"), "raspberry-pi-4-model-b");
  EXPECT_EQ(device_type_of("Foo (bar)"), "foo-bar");
}

TEST(Board, ReadsItsSerial) {
  const auto root = std::filesystem::temp_directory_path() / ("starling-board-" + std::to_string(getpid()));
  std::filesystem::create_directories(root / "etc");
  std::ofstream(root / "etc/machine-id") << "m1\n";
  EXPECT_EQ(read_board(root).serial, "m1");
  std::filesystem::create_directories(root / "proc/device-tree");
  std::ofstream(root / "proc/device-tree/serial-number") << std::string("s1\0", 3);
  std::ofstream(root / "proc/device-tree/model") << std::string("Raspberry Pi 5 Rev 1.0\0", 23);
  const Board board = read_board(root);
  EXPECT_EQ(board.serial, "s1");
  EXPECT_EQ(board.device_type, "raspberry-pi-5");
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace starling::agent
