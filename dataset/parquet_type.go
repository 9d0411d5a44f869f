package dataset

import (
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

func isList(c *parquet.Column) bool {
	_, ok := c.Type().LogicalType().Value.(*format.ListType)
	return ok
}

func isMap(c *parquet.Column) bool {
	_, ok := c.Type().LogicalType().Value.(*format.MapType)
	return ok
}

func isText(logical format.LogicalTypeValue) bool {
	_, ok := logical.(*format.StringType)
	return ok
}

func isUnsigned(logical format.LogicalTypeValue) bool {
	n, ok := logical.(*format.IntType)
	return ok && !n.IsSigned
}
