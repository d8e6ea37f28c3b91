#include "support.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace kith::app {

std::string fixture(const std::string& name) {
  auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "config";
  std::ifstream file(root / name, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace kith::app
