// Regular expressions for policy locations, matched in linear time: a simulated automaton (Thompson
// 1968; Cox, "Regular Expression Matching Can Be Simple And Fast"), so no path a client sends can
// make it slow or deep, whatever the expression.
//
// Syntax: literals, '.', [classes], \d \w \s \D \W \S, (groups), (?:groups), '|', * + ? {m} {m,} {m,n},
// ^ and $, "(?i)" in front for any case. A lazy suffix '?' is accepted (it cannot change a yes or no).
// Look-around, back references and \b are refused.
//
// An expression is over the whole path: what is open at "/public/.*" is not open at "/admin/x/public/y",
// nor what is open at "/.*[.]css" at "/site.css/edit". One that no path can begin with, as paths begin
// with '/', is for the end of the path: "[.](css|js)$".
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kith::gateway {

class Pattern {
 public:
  static constexpr size_t kMaxProgram = 2000;  // instructions; bounds the work per byte of a path
  static constexpr int kMaxDepth = 32;         // nested groups
  static constexpr int kMaxRepeat = 255;       // in {m,n}

  // invalid, side config: what is wrong and at which character.
  static Result<Pattern> compile(std::string_view text);
  bool matches(std::string_view path) const;

 private:
  friend class PatternCompiler;
  enum class Op : uint8_t { byte_class, split, jump, begin, end, accept };
  struct Instruction {
    Op op = Op::accept;
    uint32_t a = 0;  // class index, or target
    uint32_t b = 0;  // second target of split
  };
  struct Threads;
  void follow(Threads& threads, uint32_t pc, size_t at, size_t size) const;
  bool can_begin_a_path() const;

  std::vector<Instruction> program_;
  std::vector<std::bitset<256>> classes_;
  bool begins_anywhere_ = false;  // else at the path's beginning
};

}  // namespace kith::gateway
