package cpu

//go:generate -command gen go run -C gen .
//go:generate gen products -out ../products_amd64.s -stubs ../products_amd64.go -pkg cpu
