// The configuration decoder on any bytes: it may refuse, it may not crash, hang or read files.

#include <cstddef>
#include <cstdint>

#include "app/config.h"

namespace {

class NoFiles final : public kith::runtime::Files {
 public:
  using Error = kith::Error;
  kith::Result<std::string> read(const std::string&, size_t) override { return nothing(); }
  kith::Result<void> write(const std::string&, std::string_view, uint32_t) override { return nothing(); }
  kith::Result<void> create(const std::string&, std::string_view, uint32_t) override { return nothing(); }
  bool exists(const std::string&) override { return false; }

 private:
  static Error nothing() { return Error(kith::Code::not_found, "no files here"); }
};

class EchoSecrets final : public kith::app::SecretProvider {
 public:
  kith::Result<kith::crypto::Secret> find(std::string_view name) override {
    return kith::crypto::Secret(name);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  NoFiles files;
  EchoSecrets secrets;
  kith::app::Surroundings around{&files, [](const std::string& name) { return std::optional(name); },
                                 [](const std::string&) { return false; }, "/"};
  std::string_view text(reinterpret_cast<const char*>(data), size);
  kith::app::Loaded loaded = kith::app::load_config(text, "fuzz.yaml", around, &secrets);
  for (const auto& problem : loaded.problems) (void)kith::app::to_line(problem);
  if (loaded.ok()) (void)kith::app::show_config(loaded.config);
  return 0;
}
