# Each target is one or a few plain commands, which work without make as well.

help: ## list the targets (the default)
	@sed -n 's/^\([a-z ]*\):.*## /\1 - /p' Makefile

demo: tcp http jsonrpc async ## run the four pairs, one after the other

tcp http jsonrpc async: ## run one pair: start the server, run the client, stop the server
	@sh .ci/pair $@ $(ADDR)

test: ## run the tests
	go test ./...

bench: ## what a call costs, in ratios (half a minute)
	go test -run '^$$' -bench 'Ratios|Scale' -benchtime 1x ./shared

check: ## what CI checks: format, vet for three systems, tests in any order under the race detector
	! gofmt -d . | grep .
	go vet ./...
	GOOS=windows go vet ./...
	GOOS=darwin go vet ./...
	go test -race -shuffle=on ./...
	go test -run '^$$' -bench 'Call|Payload|Additions' -benchtime 1x ./shared

.PHONY: help demo tcp http jsonrpc async test bench check
.NOTPARALLEL:
