#!/usr/bin/env bash
# OpenAI's routes with curl: which models there are, one of the adapters, then a stream of another.
set -euo pipefail
url=${URL:-http://127.0.0.1:3000}

ask() {  # ROUTE [BODY]
  curl -sSN --fail-with-body "$url/v1/$1" ${API_KEY:+-H "authorization: Bearer $API_KEY"} ${2:+-H 'content-type: application/json' -d "$2"}
  echo
}

echo "models:"
ask models

echo "ticket-triage:"
ask completions '{"model": "ticket-triage", "max_tokens": 40, "temperature": 0,
  "prompt": "Ticket: Please send the invoice for Orchid Reader again.\nJSON:"}'

echo "text-to-sql, a chunk for each token, usage at the end:"
ask completions '{"model": "text-to-sql", "max_tokens": 40, "temperature": 0,
  "stream": true, "stream_options": {"include_usage": true},
  "prompt": "Table: bridges(id, material, build_year, river, height)\nQuestion: How many bridges are there per river?\nSQL:"}'
