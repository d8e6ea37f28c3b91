# shellcheck shell=bash
# What no compiler warns about. Prints each finding; exit status 1 when there is one.
set -euo pipefail

# g++ 12 breaks the frame of a coroutine that compares or negates the result of co_await in a condition
# (src/runtime/task.h).
if grep -rnE --include='*.h' --include='*.cpp' '(if|while) \(.*(!|==|!=|&&|\|\|) *co_await|co_await .*\) (==|!=|&&|\|\|) ' \
  src sim tests examples bench | grep -vE ':[0-9]+: *//'; then
  echo "bind the result of co_await to a variable first" >&2
  exit 1
fi
