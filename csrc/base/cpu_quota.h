// The CPU time that control groups grant this process.
#pragma once
#include <string>

namespace pyconv {

// CPUs' worth of time per period, the least over the process's group and all groups above it,
// rounded up; 0 where nothing limits it. `root` stands before /proc and /sys, for tests.
int cgroup_cpu_quota(const std::string& root = std::string());

}  // namespace pyconv
