#!/usr/bin/env bash
# A program for the audit in plain curl: a session, a model, one sample.
set -euo pipefail

call() { # call PATH BODY [CURL OPTIONS]
  curl -sS --fail-with-body --retry 5 --retry-delay 1 -X POST "$TINKER_BASE_URL/api/v1/$1" \
    -H "X-API-Key: $TINKER_API_KEY" -H "Accept: application/json" \
    -H "Content-Type: application/json" -d "$2" "${@:3}"
}

field() { # field NAME < JSON
  python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

result() { # result REQUEST_ID: poll until there is a result
  local answer status
  while true; do
    answer=$(curl -sS -w '\n%{http_code}' -X POST "$TINKER_BASE_URL/api/v1/retrieve_future" \
      -H "X-API-Key: $TINKER_API_KEY" -H "Accept: application/json" \
      -H "Content-Type: application/json" -d "{\"request_id\": \"$1\"}")
    status=${answer##*$'\n'}
    case $status in
      200) echo "${answer%$'\n'*}"; return ;;
      408 | 5??) ;;
      *) echo "${answer%$'\n'*}" >&2; return 1 ;;
    esac
  done
}

call client/config '{"sdk_version": "0.24.1"}'
session=$(call create_session \
  '{"tags": [], "user_metadata": {}, "sdk_version": "0.24.1", "type": "create_session"}' |
  field session_id)
sampler=$(call create_sampling_session "{\"session_id\": \"$session\",
  \"sampling_session_seq_id\": 0, \"base_model\": \"$TINKER_MOCK_MODEL\"}" |
  field sampling_session_id)
request=$(call asample "{\"sampling_session_id\": \"$sampler\", \"seq_id\": 0,
  \"num_samples\": 1, \"prompt\": {\"chunks\": [{\"type\": \"encoded_text\", \"tokens\": [1, 2]}]},
  \"sampling_params\": {\"max_tokens\": 4}}" | field request_id)
result "$request"
call "sessions/$session/finish" '{"reason": {"type": "success"}, "detail": null}'
