#include "cache/clients.h"

#include <chrono>

namespace kith::cache {

std::string ClientCard::line(MonoTime now) const {
  auto seconds = [now](MonoTime from) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now - from).count());
  };
  std::lock_guard lock(mutex_);
  std::string flags = queued >= 0 ? "x" : "";
  if (text_.channels + text_.patterns > 0) flags += "P";
  std::string out =
      "id=" + std::to_string(id) + " addr=" + address + " laddr=" + local + " fd=-1 name=" + text_.name +
      " age=" + seconds(since) + " idle=" + seconds(last) + " flags=" + (flags.empty() ? "N" : flags) +
      " db=" + std::to_string(text_.database) + " sub=" + std::to_string(text_.channels) +
      " psub=" + std::to_string(text_.patterns) + " ssub=0 multi=" + std::to_string(queued) +
      " qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=" +
      command.load() + " user=default redir=-1 resp=" + std::to_string(text_.protocol);
  if (!text_.lib_name.empty() || !text_.lib_version.empty())
    out += " lib-name=" + text_.lib_name + " lib-ver=" + text_.lib_version;
  return out + "\n";
}

std::shared_ptr<ClientCard> Clients::add(std::string address, std::string local, MonoTime now) {
  ++connections;
  std::lock_guard lock(mutex_);
  auto card = std::make_shared<ClientCard>(next_, std::move(address), std::move(local), now);
  cards_.emplace(next_++, card);
  return card;
}

void Clients::remove(uint64_t id) {
  std::lock_guard lock(mutex_);
  cards_.erase(id);
}

std::vector<std::shared_ptr<const ClientCard>> Clients::all() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const ClientCard>> out;
  for (const auto& [id, card] : cards_) out.push_back(card);
  return out;
}

size_t Clients::size() const {
  std::lock_guard lock(mutex_);
  return cards_.size();
}

}  // namespace kith::cache
