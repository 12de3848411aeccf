#!/bin/sh
# Says in Markdown what a plan does, for a comment on a change: first the outcome, then what changes, then the plan itself.
#   summary.sh PLAN.txt TITLE
# PLAN.txt is what `terraform plan -no-color` has printed, errors included. A comment holds 65,536 characters at GitHub, and more at GitLab.
set -eu
plan=${1:?usage: $0 PLAN.txt TITLE} title=${2:?usage: $0 PLAN.txt TITLE}

escape() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'; }
# lines PATTERN LIMIT: the lines that match, an item each, and how many more there are.
lines() {
  count=$(grep -cE "$1" "$plan" || :)
  grep -E "$1" "$plan" | sed 's/^ *#* *//' | escape | sed 's/^/- /' | head -n "$2" || :
  if [ "$count" -gt "$2" ]; then echo "- and $((count - $2)) more"; fi
}

printf '### %s\n\n' "$title"
lines '^(No changes|Plan:|Changes to Outputs|Error:)' 20
printf '\n'
lines '^Warning:' 50
printf '\n'
lines '^  # .* (will|must) be ' 100
printf '\n<details><summary>What the CLI has printed</summary>\n\n<pre>\n'
escape <"$plan" | head -c 40000
printf '\n</pre>\n</details>\n'
if [ "$(escape <"$plan" | wc -c)" -gt 40000 ]; then printf '\nThe rest is in the log of the job.\n'; fi
