// SPDX-License-Identifier: Apache-2.0
// Reviewed sets of rules for common work, as data: what an agent needs for it runs, what destroys is asked
// about or refused. A set is filled with directories and names, so that it is about this work only; its rules
// carry the name of the set (Rule::of_template) and are stored and removed together.
//
// Pure; safe from any thread.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/rules/rules.h"

namespace hostclaw::policy {

struct TemplateParameter {
  enum class Kind { kDirectory, kName, kUrl };
  std::string_view name;  // "repo": what `--repo` gives
  Kind kind = Kind::kName;
  bool required = false;
  bool repeats = false;
  std::string_view about;
  std::string_view sample;  // for showing a set that is not filled
};

// Texts are words between blanks; `{name}` is the value of a parameter, `{name}` of a parameter without a
// value leaves the row out. Examples of one kind are separated by ` ; `.
struct TemplateRow {
  std::string_view id;
  RuleEffect effect;
  std::string_view directories;  // names of parameters: one rule for each; empty: any directory
  std::string_view program;
  std::string_view arguments;
  std::string_view note;
  std::string_view match;
  std::string_view not_match;
  std::string_view unless = {};  // a parameter: with a value of it the row is left out
};

struct RuleTemplate {
  std::string_view name;
  std::string_view about;
  std::span<const TemplateParameter> parameters;
  // The rows of each part; parts are shared between sets.
  std::vector<std::span<const TemplateRow>> parts;
};

const std::vector<RuleTemplate>& rule_templates();
const RuleTemplate* find_rule_template(std::string_view name);  // null: there is none

// By the name of the parameter. Directories are absolute with symlinks resolved; whoever fills resolves them.
using TemplateValues = std::map<std::string, std::vector<std::string>, std::less<>>;
TemplateValues sample_values(const RuleTemplate& set);

// The rules, with ids `SET.…`. Errors: TEMPLATE_INVALID, naming the parameter that is missing or would be
// read as a pattern.
Result<std::vector<Rule>> fill_template(const RuleTemplate& from, const TemplateValues& values,
                                        const std::string& set, const std::string& agent);

}  // namespace hostclaw::policy
