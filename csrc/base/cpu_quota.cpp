#include "base/cpu_quota.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace pyconv {
namespace {

// One mounted hierarchy and where in it the process stands.
struct Hierarchy {
  bool v2 = false;
  std::string mount_root;  // the group that is visible at mount_point
  std::string mount_point;
  std::string group;
};

bool has_item(const std::string& list, const std::string& item) {
  return ("," + list + ",").find("," + item + ",") != std::string::npos;
}

// mountinfo writes blank, tab, newline and backslash as \ooo.
std::string unescape(const std::string& field) {
  std::string result;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size()) {
      result += static_cast<char>(std::strtol(field.substr(i + 1, 3).c_str(), nullptr, 8));
      i += 3;
    } else {
      result += field[i];
    }
  }
  return result;
}

// The group in /proc/self/cgroup, "id:controllers:path", of v2 or of v1's cpu controller.
bool find_group(const std::string& root, Hierarchy* hierarchy) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (hierarchy->v2 ? !controllers.empty() : !has_item(controllers, "cpu")) continue;
    hierarchy->group = line.substr(second + 1);
    return true;
  }
  return false;
}

// "id parent major:minor root mount_point options [tags...] - type source super_options"
bool find_mount(const std::string& root, Hierarchy* hierarchy) {
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream left(line), right(line.substr(dash + 3));
    std::string skip, mount_root, mount_point, type, super_options;
    left >> skip >> skip >> skip >> mount_root >> mount_point;
    right >> type >> skip >> super_options;
    if (hierarchy->v2 ? type != "cgroup2" : type != "cgroup" || !has_item(super_options, "cpu"))
      continue;
    hierarchy->mount_root = unescape(mount_root);
    hierarchy->mount_point = unescape(mount_point);
    return true;
  }
  return false;
}

// The group's path below the mount point; "" when the mount doesn't show it.
std::string visible_path(const Hierarchy& hierarchy) {
  std::string path = hierarchy.group;
  const std::string& top = hierarchy.mount_root;
  if (top != "/") {
    const bool below = path.compare(0, top.size(), top) == 0 &&
                       (path.size() == top.size() || path[top.size()] == '/');
    if (!below) return std::string();
    path.erase(0, top.size());
  }
  if (path.find("/..") != std::string::npos) return std::string();
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path;
}

// CPUs granted by one group; 0 for no limit ("max", -1, or no such file).
double group_limit(const std::string& dir, bool v2) {
  double quota = 0, period = 0;
  if (v2) {
    std::ifstream file(dir + "/cpu.max");
    if (!(file >> quota >> period)) return 0;
  } else {
    std::ifstream quota_file(dir + "/cpu.cfs_quota_us"), period_file(dir + "/cpu.cfs_period_us");
    if (!(quota_file >> quota) || !(period_file >> period)) return 0;
  }
  return quota > 0 && period > 0 ? quota / period : 0;
}

double hierarchy_limit(const std::string& root, bool v2) {
  Hierarchy hierarchy;
  hierarchy.v2 = v2;
  if (!find_group(root, &hierarchy) || !find_mount(root, &hierarchy)) return 0;
  double least = 0;
  for (std::string path = visible_path(hierarchy);; path.erase(path.rfind('/'))) {
    const double limit = group_limit(root + hierarchy.mount_point + path, v2);
    if (limit > 0 && (least == 0 || limit < least)) least = limit;
    if (path.find('/') == std::string::npos) return least;
  }
}

}  // namespace

int cgroup_cpu_quota(const std::string& root) {
  const double v1 = hierarchy_limit(root, false), v2 = hierarchy_limit(root, true);
  const double least = v1 == 0 ? v2 : v2 == 0 || v1 < v2 ? v1 : v2;
  return least < 1e6 ? static_cast<int>(std::ceil(least)) : 0;
}

}  // namespace pyconv
