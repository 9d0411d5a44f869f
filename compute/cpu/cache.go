package cpu

import "shallow/compute"

// cache is keys and values of one layer, laid out so that attention multiplies them where they are.
//
// A unit is 32 bits: one float32, or a pair of bfloat16 with the first in the lower half. Pages follow one another, in a
// page the key-value heads, and in a head its keys, then its values:
//
//	keys   [width/per][PageSize]: per channels of a position in each unit
//	values [PageSize/per][width]: per positions of a channel in each unit
//
// with per the numbers in a unit. width is headSize rounded up to whole vectors; the channels between stay zero.
type cache struct {
	units    []uint32
	kind     compute.Kind
	per      int
	pages    int
	kvHeads  int
	headSize int
	width    int
}

// channelBlock is the number of float32 in the widest vector: heads are padded to multiples of it.
const channelBlock = 16

func padded(headSize int) int { return (headSize + channelBlock - 1) / channelBlock * channelBlock }

// Bytes is the memory of all pages.
func (c *cache) Bytes() int64 { return 4 * int64(len(c.units)) }

// Pages is the number of pages.
func (c *cache) Pages() int { return c.pages }

// Kind is what keys and values are rounded to.
func (c *cache) Kind() compute.Kind { return c.kind }

// block is the number of units of one head's keys, or of its values, in one page.
func (c *cache) block() int { return compute.PageSize * c.width / c.per }

// head is one head's keys and values in one page.
func (c *cache) head(page, head int) (keys, values []uint32) {
	n := c.block()
	at := (page*c.kvHeads + head) * 2 * n
	return c.units[at : at+n : at+n], c.units[at+n : at+2*n : at+2*n]
}

// CacheBytes is the memory of a cache, the padding of its heads included.
func (d *Device) CacheBytes(kind compute.Kind, pages, kvHeads, headSize int) int64 {
	return kind.Bytes(1) * 2 * compute.PageSize * int64(pages) * int64(kvHeads) * int64(padded(headSize))
}

// NewCache allocates pages of zeros.
func (d *Device) NewCache(kind compute.Kind, pages, kvHeads, headSize int) compute.Cache {
	c := &cache{kind: kind, per: 1}
	const most = 1 << 20 // of each number, so that no product overflows
	bytes := float64(compute.PageSize) * 8 * float64(pages) * float64(kvHeads) * float64(headSize)
	switch {
	case kind != compute.Float32 && kind != compute.BFloat16:
		d.fail("NewCache: a cache of %v: it takes float32 and bfloat16", kind)
		return c
	case pages < 0 || kvHeads <= 0 || headSize <= 0 || kvHeads > most || headSize > most || bytes > 1<<46:
		d.fail("NewCache: %d pages of %d heads of %d channels", pages, kvHeads, headSize)
		return c
	case kind == compute.BFloat16:
		c.per = 2
	}
	c.pages, c.kvHeads, c.headSize, c.width = pages, kvHeads, headSize, padded(headSize)
	c.units = asSlice[uint32](alignedBytes(4 * pages * kvHeads * 2 * c.block()))
	return c
}

// storeRows is the number of rows of one head that one thread stores at a time.
const storeRows = 64

// StoreKV rounds row i of k and v [N, K·headSize] to the cache's kind and puts it into slot slots[i]. No two rows may have
// the same slot.
func (d *Device) StoreKV(to compute.Cache, k, v, slots compute.Tensor) {
	if !d.ok() {
		return
	}
	c, ok := to.(*cache)
	if !ok {
		d.fail("StoreKV: a cache of another device")
		return
	}
	rows, cols := slots.Rows, c.kvHeads*c.headSize
	if !d.fits("StoreKV", "keys", k, rows, cols, compute.Float32) || !d.fits("StoreKV", "values", v, rows, cols, compute.Float32) {
		return
	}
	places, ok := d.indices("StoreKV", "slots", slots, rows, 0, c.pages*compute.PageSize)
	if !ok || rows == 0 {
		return
	}
	keys, values := floats(k), floats(v)
	chunks := (rows + storeRows - 1) / storeRows
	d.pool.run(c.kvHeads*chunks, func(_, item int) {
		head, chunk := item/chunks, item%chunks
		at := head * c.headSize
		for i := chunk * storeRows; i < min(rows, (chunk+1)*storeRows); i++ {
			slot := int(places[i])
			ck, cv := c.head(slot/compute.PageSize, head)
			c.store(ck, cv, slot%compute.PageSize, keys[i*k.Stride+at:][:c.headSize], values[i*v.Stride+at:][:c.headSize])
		}
	})
}

// store puts one position's key and value into its place of a head.
func (c *cache) store(keys, values []uint32, place int, key, value []float32) {
	if c.per == 1 {
		k, v := asFloats(keys), asFloats(values)
		for ch, x := range key {
			k[ch*compute.PageSize+place] = x
		}
		copy(v[place*c.width:], value)
		return
	}
	for ch := 0; ch < len(key); ch += 2 {
		u := uint32(floatToBF16(key[ch]))
		if ch+1 < len(key) {
			u |= uint32(floatToBF16(key[ch+1])) << 16
		}
		keys[ch/2*compute.PageSize+place] = u
	}
	v := asHalves(values[place/2*c.width:][:c.width])
	for ch, x := range value {
		v[2*ch+place%2] = floatToBF16(x)
	}
}

// CopyKV copies keys and values from slot from[i] to slot to[i].
func (d *Device) CopyKV(in compute.Cache, to, from compute.Tensor) {
	if !d.ok() {
		return
	}
	c, ok := in.(*cache)
	if !ok {
		d.fail("CopyKV: a cache of another device")
		return
	}
	rows := to.Rows
	targets, ok := d.indices("CopyKV", "to", to, rows, 0, c.pages*compute.PageSize)
	if !ok {
		return
	}
	sources, ok := d.indices("CopyKV", "from", from, rows, 0, c.pages*compute.PageSize)
	if !ok || rows == 0 {
		return
	}
	chunks := (rows + storeRows - 1) / storeRows
	d.pool.run(c.kvHeads*chunks, func(_, item int) {
		head, chunk := item/chunks, item%chunks
		for i := chunk * storeRows; i < min(rows, (chunk+1)*storeRows); i++ {
			c.move(head, int(targets[i]), int(sources[i]))
		}
	})
}

// move copies one position's key and value of a head from one slot to another.
func (c *cache) move(head, to, from int) {
	tk, tv := c.head(to/compute.PageSize, head)
	fk, fv := c.head(from/compute.PageSize, head)
	to, from = to%compute.PageSize, from%compute.PageSize
	for at := 0; at < len(tk); at += compute.PageSize {
		tk[at+to] = fk[at+from]
	}
	if c.per == 1 {
		copy(tv[to*c.width:][:c.width], fv[from*c.width:][:c.width])
		return
	}
	t, f := asHalves(tv[to/2*c.width:][:c.width]), asHalves(fv[from/2*c.width:][:c.width])
	for ch := range c.width {
		t[2*ch+to%2] = f[2*ch+from%2]
	}
}
