package cpu

//go:generate -command gen go run -C gen .
//go:generate gen products -out ../products_amd64.s -stubs ../products_amd64.go -pkg cpu
//go:generate gen near -out ../near_amd64.s -stubs ../near_kernels_amd64.go -pkg cpu
//go:generate gen elementwise -out ../elementwise_amd64.s -stubs ../elementwise_amd64.go -pkg cpu
//go:generate gen attention -out ../attention_kernels_amd64.s -stubs ../attention_kernels_amd64.go -pkg cpu
//go:generate gen gradients -out ../gradients_amd64.s -stubs ../gradients_amd64.go -pkg cpu
//go:generate gen gradient_attention -out ../gradient_attention_amd64.s -stubs ../gradient_attention_kernels_amd64.go -pkg cpu
//go:generate gen turned -out ../turned_amd64.s -stubs ../turned_kernels_amd64.go -pkg cpu
