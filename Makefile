# Each target is one or a few plain commands, which work without make as well.

help: ## list the targets (the default)
	@sed -n 's/^\([a-z ]*\):.*## /\1 - /p' Makefile

demo: tcp http jsonrpc async ## run the four pairs, one after the other

tcp http jsonrpc async: ## run one pair: start the server, run the client, stop the server
	@sh .ci/pair $@ $(ADDR)

test: ## run the tests
	go test ./...

check: ## what CI checks: format, vet for three systems, tests in any order under the race detector
	! gofmt -d . | grep .
	go vet ./...
	GOOS=windows go vet ./...
	GOOS=darwin go vet ./...
	go test -race -shuffle=on ./...

.PHONY: help demo tcp http jsonrpc async test check
.NOTPARALLEL:
