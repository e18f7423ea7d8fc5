#!/usr/bin/env bash
# TGI's routes with curl: two adapters of one server, then a stream of one of them.
set -euo pipefail
url=${URL:-http://127.0.0.1:3000}

generate() {  # ROUTE, BODY
  curl -sSN --fail-with-body "$url/$1" -H 'content-type: application/json' ${API_KEY:+-H "authorization: Bearer $API_KEY"} -d "$2"
  echo
}

echo "text-to-sql:"
generate generate '{
  "inputs": "Table: bridges(id, material, build_year, river, height)\nQuestion: How many bridges are there per river?\nSQL:",
  "parameters": {"adapter_id": "text-to-sql", "max_new_tokens": 40}}'

echo "ticket-triage:"
generate generate '{
  "inputs": "Ticket: Please send the invoice for Orchid Reader again.\nJSON:",
  "parameters": {"adapter_id": "ticket-triage", "max_new_tokens": 40}}'

echo "text-to-sql, an event for each token:"
generate generate_stream '{
  "inputs": "Table: bridges(id, material, build_year, river, height)\nQuestion: How many bridges are there per river?\nSQL:",
  "parameters": {"adapter_id": "text-to-sql", "max_new_tokens": 40, "details": true}}'
