#include "sim/trace/byte_pair_merger.h"

#include <queue>
#include <tuple>

namespace guardbit::sim {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// A token in the list that shrinks; a swallowed one has token -1.
struct Node {
  int token = -1;
  std::size_t previous = kNone;
  std::size_t next = kNone;
};

/// A merge that was possible when it was found; it still is if both tokens are the same.
struct Candidate {
  Merge merge;
  std::size_t left = 0;
  int left_token = 0;
  int right_token = 0;

  bool operator<(const Candidate& other) const {  // the queue's top is the largest
    return std::tie(other.merge.priority, other.left) < std::tie(merge.priority, left);
  }
};

}  // namespace

std::vector<int> merge_pairs(const std::vector<int>& tokens,
                             const std::function<std::optional<Merge>(int left, int right)>& rule) {
  std::vector<Node> nodes(tokens.size());
  std::priority_queue<Candidate> queue;
  const auto propose = [&](std::size_t left) {
    if (left == kNone || nodes[left].next == kNone) return;
    const int left_token = nodes[left].token;
    const int right_token = nodes[nodes[left].next].token;
    if (const auto merge = rule(left_token, right_token)) queue.push({*merge, left, left_token, right_token});
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    nodes[i] = {tokens[i], i == 0 ? kNone : i - 1, i + 1 == tokens.size() ? kNone : i + 1};
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) propose(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Node& left = nodes[best.left];
    if (left.token != best.left_token || left.next == kNone || nodes[left.next].token != best.right_token) continue;
    Node& right = nodes[left.next];
    left.token = best.merge.token;
    left.next = right.next;
    right.token = -1;
    if (left.next != kNone) nodes[left.next].previous = best.left;
    propose(left.previous);
    propose(best.left);
  }
  std::vector<int> result;
  for (std::size_t i = tokens.empty() ? kNone : 0; i != kNone; i = nodes[i].next) result.push_back(nodes[i].token);
  return result;
}

}  // namespace guardbit::sim
