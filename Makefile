# Each target is one or a few plain commands, which work without make as well.

help: ## list the targets (the default)
	@sed -n 's/^\([a-z ]*\):.*## /\1 - /p' Makefile

demo: ## run the four pairs, one after the other
	@go run ./shared/demo $(if $(ADDR),-addr $(ADDR))

tcp http jsonrpc async: ## run one pair: start the server, run the client, stop the server
	@go run ./shared/demo $(if $(ADDR),-addr $(ADDR)) $@

test: ## run the tests
	go test -timeout 20m ./...

bench: ## what a call costs, in ratios (half a minute)
	go test -run '^$$' -bench . -benchtime 1x ./shared

check: ## what CI checks: format, vet for three systems and 32 bits, tests in any order under the race detector
	! gofmt -d . | grep .
	go vet ./...
	GOOS=windows go vet ./...
	GOOS=darwin go vet ./...
	GOARCH=386 go vet ./...
	go test -timeout 20m -race -shuffle=on ./...
	go test -timeout 20m -short -run '^$$' -bench . -benchtime 1x ./shared

.PHONY: help demo tcp http jsonrpc async test bench check
